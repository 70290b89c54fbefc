"""The replay of a chain: rows from events, and events that do not fit."""

from __future__ import annotations

from typing import Any

import pytest

from obeya.audit.chain import text_digest
from obeya.audit.replay.replay import Replay
from obeya.audit.replay.state import UNSTATED, Table, Text
from obeya.records import Action


class Chain:
    """Events of one chain, each a minute after the one before."""

    def __init__(self) -> None:
        self.replay = Replay()
        self.length = 0

    def add(self, action: str, *, erased: bool = False, **members: Any) -> None:
        self.length += 1
        texts = {role: text_digest(text) for role, text in members.pop("texts", {}).items()}
        event = {
            "sequence": self.length,
            "occurred_at": f"2026-03-03T14:{self.length:02}:00.000000Z",
            "channel": "api",
            "actor": "system",
            "action": action,
            "version": None,
            "from_stage": None,
            "to_stage": None,
            "data": {},
            "texts": texts,
            **members,
        }
        self.replay.add(event, () if erased else texts)

    def values(self, table: Table) -> dict[Any, dict[str, Any]]:
        return {key: row.values for key, row in self.replay.tables()[table].items()}


@pytest.fixture
def chain() -> Chain:
    chain = Chain()
    chain.add(Action.MODEL_REGISTERED, texts={"name": "churn"})
    registered = {"version": 1, "to_stage": "development", "data": {"metrics": {}, "tags": {}}}
    chain.add(Action.VERSION_REGISTERED, **registered)
    chain.add(Action.VERSION_REGISTERED, **registered | {"version": 2})
    return chain


def test_a_version_has_the_values_of_its_last_events(chain: Chain) -> None:
    metrics = {"auc": {"old": None, "new": {"value": 1, "samples": 9}}}
    chain.add(Action.METRICS_LOGGED, version=1, data={"metrics": metrics})
    chain.add(Action.STAGE_TRANSITIONED, version=1, to_stage="staging", from_stage="development")
    (version, _) = chain.values(Table.VERSION).values()
    assert (version["stage"], version["revision"]) == ("staging", 3)
    assert version["updated_at"] == version["stage_entered_at"] == "2026-03-03T14:05:00.000000Z"
    assert chain.values(Table.METRIC)[1, "auc"]["standard_error"] is None
    model = chain.values(Table.MODEL)[()]
    assert (model["development_count"], model["staging_count"], model["champion"]) == (1, 1, None)
    rows = chain.replay.tables()[Table.VERSION]
    assert [rows[1,].event_of(column) for column in ("stage", "owner")] == [5, 2]
    assert chain.replay.problems == []


def test_the_champion_is_the_version_that_entered_production_last(chain: Chain) -> None:
    for number in (2, 1):
        chain.add(Action.STAGE_TRANSITIONED, version=number, to_stage="production")
    assert chain.values(Table.MODEL)[()]["champion"] == 1
    chain.add(Action.VERSION_DELETED, version=1, from_stage="production")
    assert chain.values(Table.MODEL)[()]["champion"] == 2


def test_columns_that_an_old_event_does_not_state_are_unstated(chain: Chain) -> None:
    version = chain.values(Table.VERSION)[1,]
    assert (version["label"], version["artifact_digest"]) == (UNSTATED, UNSTATED)
    chain.add(Action.REQUEST_OPENED, data={"request": "r", "archive_existing": False})
    chain.add(Action.REQUEST_WITHDRAWN, data={"request": "r"})
    request = chain.values(Table.REQUEST)["r",]
    assert (request["expires_at"], request["evidence_digest"]) == (UNSTATED, UNSTATED)


def test_the_deletion_of_a_version_removes_its_aliases_with_or_without_events(chain: Chain) -> None:
    for alias, number in (("best", 1), ("champion", 1), ("next", 2)):
        chain.add(Action.ALIAS_SET, version=number, data={"alias": alias, "old": None})
    chain.add(Action.VERSION_DELETED, version=1, from_stage="development")
    assert chain.values(Table.ALIAS) == {("next",): {"version": 2}}
    chain.add(Action.ALIAS_SET, version=2, data={"alias": "champion", "old": 1})
    chain.add(Action.ALIAS_DELETED, version=1, data={"alias": "best"})
    assert set(chain.values(Table.ALIAS)) == {("next",), ("champion",)}
    assert chain.replay.problems == []


def test_the_same_inspection_of_the_same_files_finds_the_same(chain: Chain) -> None:
    def inspect(findings: str, inspector: int, *, stored: bool = False) -> list[str]:
        before = len(chain.replay.problems)
        data = {"findings_digest": findings, "inspector": inspector, "digest": "d", "size": 1}
        action = Action.ARTIFACT_STORED if stored else Action.ARTIFACT_INSPECTED
        chain.add(action, version=1, data=data)
        return chain.replay.problems[before:]

    assert inspect("pickle", 3, stored=True) == []
    # A later inspection, damaged content, and the content stored again.
    for findings, inspector in (("code", 4), ("missing", 0), ("altered", 0), ("code", 4)):
        assert inspect(findings, inspector) == []
    for findings, inspector in (("clean", 4), ("clean", 3)):
        (problem,) = inspect(findings, inspector)
        assert problem == (
            f"event {chain.length} has other findings in the files of v1 than the same inspection "
            "had before."
        )
    assert inspect("other files", 4, stored=True) == []


def test_a_new_link_or_password_ends_the_older_links_of_the_account(chain: Chain) -> None:
    def links() -> list[str]:
        return [key[0] for key in chain.values(Table.LINK)]

    def create(user: str, link: str) -> None:
        data = {"user": user, "link_digest": link, "expires_at": "2026-03-04T14:05:00.000000Z"}
        chain.add(Action.USER_LINK_MADE, data=data)

    create("u", "first")
    create("other", "kept")
    create("u", "second")
    assert links() == ["kept", "second"]
    chain.add(Action.USER_LINK_USED, data={"address": "h", "link_digest": "second"})
    assert chain.values(Table.LINK)["second",]["used_at"] == "2026-03-03T14:07:00.000000Z"
    chain.add(Action.USER_CHANGED, data={"user": "u", "fields": ["password"]})
    chain.add(Action.USER_LINK_USED, data={"address": "h", "link_digest": "second"})
    assert links() == ["kept"]
    assert chain.replay.problems == []


def test_an_erased_text_is_known_by_its_digest_only(chain: Chain) -> None:
    chain.add(Action.MODEL_DESCRIBED, texts={"description": "Secret"}, erased=True)
    digest = text_digest("Secret")
    assert chain.values(Table.MODEL)[()]["description"] == Text(digest, is_erased=True)


@pytest.mark.parametrize(
    ("action", "members"),
    [
        (Action.VERSION_TAGGED, {"version": 7, "data": {"key": "a", "new": "b"}}),
        (Action.VERSION_UNTAGGED, {"version": 1, "data": {"key": "a"}}),
        (Action.METRICS_LOGGED, {"version": 1, "data": {"metrics": {"f1": 7}}}),
        (Action.WAIVER_REVOKED, {"data": {"waiver": "x"}}),
        (Action.ALIAS_SET, {"version": 1, "data": {"alias": ["x"]}}),
        (Action.GUARDRAIL_SET, {"data": {}}),
        ("future.action", {}),
    ],
)
def test_an_event_that_does_not_fit_is_a_problem(
    chain: Chain, action: str, members: dict[str, Any]
) -> None:
    chain.add(action, **members)
    assert chain.replay.problems == [f"event 4 ({action}) does not fit the events before it."]
