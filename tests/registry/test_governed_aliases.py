"""Governed aliases in the database: events, permissions, imports, what broke the rule before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from boards.access.actors import SYSTEM, Actor
from boards.models import Alias, AuditEvent, ModelVersion, User
from boards.queries.facts.governed_aliases import alias_violations
from boards.registry.catalog.catalog import configure_model
from boards.registry.database import DatabaseRegistry
from boards.registry.transfer.imports import import_model
from obeya import Comparison, PromotionPolicy, Stage
from obeya.aliases.governed import AliasMode, GovernedAlias
from obeya.errors import NotAllowed
from obeya.imports import ImportedModel, ImportedVersion
from obeya.records import Action, Channel
from obeya.refusals import AliasRefused
from obeya.transitions.guardrails import Guardrail

pytestmark = pytest.mark.both_engines

DEV, STAGING, PROD, ARCHIVED = Stage
LONG_AGO = datetime(2025, 3, 3, 12, tzinfo=UTC)
STABLE = GovernedAlias("stable", PROD, AliasMode.GUARDED)


@pytest.fixture(autouse=True)
def versions(registry: DatabaseRegistry) -> None:
    """v1 and v2 in Production, v3 in Staging, v4 in Development."""
    for number in (1, 2, 3, 4):
        registry.register_model("m", metrics={"errors": 0.1})
        for stage in (STAGING, PROD)[: (2, 2, 1, 0)[number - 1]]:
            registry.transition_stage("m", number, stage)


def aliases(model: str = "m") -> dict[str, int]:
    rows = Alias.objects.filter(model__name=model)
    return dict(rows.values_list("name", "version__number"))


def point(alias: str, number: int) -> None:
    """What a registry from before could contain."""
    version = ModelVersion.objects.get(model__name="m", number=number)
    Alias.objects.update_or_create(model=version.model, name=alias, defaults={"version": version})


def last_events(count: int) -> list[tuple[str, int | None, dict[str, Any]]]:
    rows = AuditEvent.objects.select_related("version").order_by("-pk")[:count]
    return [
        (row.action, row.version.number if row.version else None, row.data) for row in rows[::-1]
    ]


def test_each_change_is_an_event_of_the_actor_in_the_transaction_of_the_move(
    registry: DatabaseRegistry, alice: User
) -> None:
    registry.transition_stage("m", 3, PROD)
    registry.transition_stage("m", 3, ARCHIVED)
    assert [event for event in last_events(4) if event[0].startswith("alias")] == [
        ("alias.set", 3, {"alias": "champion", "old": 2}),
        ("alias.set", 2, {"alias": "champion", "old": 3}),
    ]
    for number in (2, 1):
        registry.transition_stage("m", number, ARCHIVED)
    assert last_events(1) == [("alias.deleted", 1, {"alias": "champion"})]
    assert AuditEvent.objects.latest("pk").actor == alice


def test_a_refusal_writes_nothing(
    registry: DatabaseRegistry, whole_database: Callable[[], object]
) -> None:
    before = whole_database()
    for act in (
        lambda: registry.set_alias("m", "champion", 3),
        lambda: registry.set_alias("m", "Champion", 2),
        lambda: registry.delete_alias("m", "champion"),
    ):
        with pytest.raises(AliasRefused):
            act()
    registry.set_alias("m", "champion", 2)
    assert whole_database() == before


def test_an_approval_that_promotes_and_a_guardrail_that_rolls_back_set_it(
    registry: DatabaseRegistry, anna: User
) -> None:
    registry.transition_stage("m", 1, ARCHIVED)
    registry.set_policy(PromotionPolicy(PROD, required_approvals=1, auto_promote=True))
    registry.request_transition("m", 3, archive_existing=True)
    DatabaseRegistry(actor=anna).approve("m", 3)
    assert aliases() == {"champion": 3}
    registry.set_guardrail("m", Guardrail("errors", Comparison.LTE, 0.2, auto_rollback=True))
    report = registry.report_live_metric("m", "errors", 0.9)
    assert report.rolled_back_to == 2
    assert aliases() == {"champion": 2}
    moved = AuditEvent.objects.get(action=Action.ALIAS_SET.value, channel="guardrail")
    assert moved.data == {"alias": "champion", "old": 3}


def test_a_guarded_alias_takes_the_permission_for_its_stage(
    registry: DatabaseRegistry, carol: User, peter: User
) -> None:
    registry.set_governed_alias(STABLE)
    contributor, promoter = DatabaseRegistry(actor=carol), DatabaseRegistry(actor=peter)
    # The permission comes before the rule.
    for version in (1, 3):
        with pytest.raises(NotAllowed, match="Production"):
            contributor.set_alias("m", "stable", version)
    promoter.set_alias("m", "stable", 1)
    contributor.set_alias("m", "stable", 1)
    with pytest.raises(NotAllowed):
        contributor.delete_alias("m", "stable")
    registry.set_governed_alias(GovernedAlias("next", STAGING, AliasMode.GUARDED))
    contributor.set_alias("m", "next", 3)
    assert aliases() == {"champion": 2, "next": 3, "stable": 1}


def test_a_contributor_can_correct_what_follows_but_not_configure_it(
    registry: DatabaseRegistry, carol: User
) -> None:
    contributor = DatabaseRegistry(actor=carol)
    point("champion", 3)
    with pytest.raises(AliasRefused):
        contributor.set_alias("m", "champion", 1)
    contributor.set_alias("m", "champion", 2)
    with pytest.raises(NotAllowed):
        contributor.set_governed_alias(GovernedAlias("champion", mode=AliasMode.FREE), "m")
    with pytest.raises(NotAllowed):
        contributor.remove_governed_alias("champion", "m")


def test_what_broke_the_rule_before_is_listed_and_not_changed(registry: DatabaseRegistry) -> None:
    assert list(alias_violations()) == []
    point("champion", 3)
    point("Champion", 1)
    point("best", 4)
    configure_model(name="m", workflow="open", actor=SYSTEM, at=LONG_AGO)
    assert list(alias_violations()) == []
    configure_model(name="m", workflow="", actor=SYSTEM, at=LONG_AGO)
    registry.register_model("other")
    assert [(line.alias, f"{line.violation} {line.remedy}") for line in alias_violations()] == [
        ("Champion", "“Champion” points to v1, but v2 entered Production last. Set it to v2."),
        (
            "champion",
            "“champion” points to v3, which is in Staging, not in Production. Set it to v2.",
        ),
    ]
    registry.transition_stage("m", 4, STAGING)
    assert aliases() == {"Champion": 1, "champion": 3, "best": 4}


def test_the_list_takes_the_same_statements_for_any_number_of_aliases(
    registry: DatabaseRegistry,
) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as taken:
            list(alias_violations())
        return len(taken)

    few = statements()
    for number in range(9):
        registry.register_model(f"m{number}")
        registry.set_alias(f"m{number}", "best", 1)
    assert statements() == few


def test_an_import_keeps_the_aliases_of_the_other_registry(alice: User) -> None:
    def bring(name: str, *versions: ImportedVersion) -> None:
        imported = ImportedModel(name, "http://there", LONG_AGO, versions=versions)
        import_model(imported=imported, actor=Actor(alice, Channel.API), at=datetime.now(UTC))

    def version(number: int, stage: Stage, *aliases: str) -> ImportedVersion:
        at = LONG_AGO + timedelta(hours=number)
        return ImportedVersion(number, stage, at, at, aliases=aliases)

    bring("with", version(1, PROD), version(2, STAGING, "champion"), version(3, PROD))
    assert aliases("with") == {"champion": 2}
    assert [line.model for line in alias_violations()] == ["with"]
    bring("without", version(1, PROD, "best"), version(2, PROD), version(3, STAGING))
    assert aliases("without") == {"best": 1, "champion": 2}
    bring("without", version(4, PROD))
    assert aliases("without") == {"best": 1, "champion": 4}
    bring("with", version(4, PROD, "champion"), version(5, STAGING))
    assert aliases("with") == {"champion": 4}
    bring("staging", version(1, STAGING))
    assert aliases("staging") == {}


def test_the_configuration_is_an_event_each(registry: DatabaseRegistry) -> None:
    registry.set_governed_alias(STABLE, "m")
    registry.set_governed_alias(STABLE, "m")
    registry.set_governed_alias(GovernedAlias("stable", mode=AliasMode.FREE))
    registry.remove_governed_alias("stable", "m")
    rows = AuditEvent.objects.filter(action__startswith="governed_alias").order_by("pk")
    assert [(row.action, row.model_id is None, row.to_stage, row.data) for row in rows] == [
        ("governed_alias.set", False, "production", {"alias": "stable", "mode": "guarded"}),
        ("governed_alias.set", True, "", {"alias": "stable", "mode": "free"}),
        ("governed_alias.removed", False, "", {"alias": "stable"}),
    ]
