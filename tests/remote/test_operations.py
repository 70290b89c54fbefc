"""Each operation of `RemoteRegistry` against a real `obeya serve` that compresses responses."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import urllib3
from urllib3.exceptions import ProtocolError

from obeya import Comparison, NotFound, PromotionPolicy, RemoteRegistry, Stage
from obeya.aliases.governed import GovernedAlias
from obeya.errors import DamagedFile
from obeya.imports import ImportedModel, ImportedVersion
from obeya.records import VersionDraft
from obeya.refusals import AliasRefused, Conflict
from obeya.transitions.guardrails import Guardrail
from obeya.transitions.limits import WipLimit
from obeya.transitions.requests import RequestStatus
from tests.packaging.commands import Served, run

ACCURATE = PromotionPolicy(Stage.STAGING).require_metric("accuracy", Comparison.GTE, 0.9)
# The clients are service accounts.
REVIEWED = PromotionPolicy(Stage.STAGING, required_approvals=1, count_service_approvals=True)
# Longer than the shortest answer that is compressed.
DESCRIPTION = "Compressed on the way. " * 40


class Server:
    """A running `obeya serve` on an empty data directory."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.served = Served(data, "--workers", "1")
        self._url = self.served.wait_for_urls(1)[0].rstrip("/")

    def client(self, account: str) -> RemoteRegistry:
        """Return a client with every scope that accepts compressed responses."""
        scopes = ("--scopes", "read,write,promote,approve,admin", "--allow-service-approval")
        made = run(self.data, "token", "create", "--service", account, *scopes)
        assert made.returncode == 0, made.stderr
        registry = RemoteRegistry(self._url, made.stdout.split()[-1])
        registry._api._headers["Accept-Encoding"] = "gzip"
        return registry


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("data"))
    yield server
    server.served.end()


@pytest.fixture(scope="module")
def registry(server: Server) -> RemoteRegistry:
    return server.client("trainer")


@pytest.fixture(scope="module")
def reviewer(server: Server) -> RemoteRegistry:
    """Return a client of another account: no one can approve their own request."""
    return server.client("reviewer")


@pytest.fixture
def name(registry: RemoteRegistry, request: pytest.FixtureRequest) -> str:
    """Register a model for this test, with one version in Development."""
    name = request.node.name
    registry.register_model(
        name, metrics={"accuracy": 0.95}, tags={"team": "nlp"}, description=DESCRIPTION
    )
    return str(name)


def test_every_operation_has_a_test() -> None:
    operations = {
        name
        for name, _ in inspect.getmembers(RemoteRegistry, inspect.isfunction)
        if not name.startswith("_")
    }
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert operations - tested == set()


def test_answers_are_compressed(registry: RemoteRegistry, name: str) -> None:
    answer = urllib3.request(
        "GET",
        f"{registry.url}/api/v1/models/{name}/versions/1",
        headers=registry._api._headers,
    )
    assert answer.headers["Content-Encoding"] == "gzip"


def numbers(versions: Any) -> list[int]:
    return [version.version for version in versions]


# Models and versions


def test_register_model(registry: RemoteRegistry, name: str) -> None:
    made = registry.register_model(name, 7, {"accuracy": 0.5}, label="7.0", tags={"a": "b"})
    assert (made.version, made.label, made.stage) == (7, "7.0", Stage.DEVELOPMENT)


def test_register_versions(registry: RemoteRegistry, name: str) -> None:
    drafts = [VersionDraft(name), VersionDraft(name)]
    first = registry.register_versions(drafts, key=name)
    assert numbers(first) == [2, 3]
    assert registry.register_versions(drafts, key=name) == first


def test_import_model(registry: RemoteRegistry, name: str) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    version = ImportedVersion(1, Stage.PRODUCTION, at, at)
    registry.import_model(ImportedModel(f"{name}-old", "https://x.org", at, versions=(version,)))
    assert registry.get_version(f"{name}-old", 1).stage is Stage.PRODUCTION


def test_get_version(registry: RemoteRegistry, name: str) -> None:
    version = registry.get_version(name, 1)
    assert (version.description, version.metrics["accuracy"]) == (DESCRIPTION, 0.95)


def test_get_version_by_alias(registry: RemoteRegistry, name: str) -> None:
    registry.set_alias(name, "best", 1)
    assert registry.get_version_by_alias(name, "best").version == 1


def test_get_latest(registry: RemoteRegistry, name: str) -> None:
    registry.register_model(name)
    latest = registry.get_latest(name)
    assert latest is not None
    assert latest.version == 2


def test_get_latest_in_stage(registry: RemoteRegistry, name: str) -> None:
    assert registry.get_latest_in_stage(name, Stage.PRODUCTION) is None
    assert registry.get_latest_in_stage(name, Stage.DEVELOPMENT) == registry.get_version(name, 1)


def test_get_by_stage(registry: RemoteRegistry, name: str) -> None:
    assert numbers(registry.get_by_stage(Stage.DEVELOPMENT, name)) == [1]


def test_list_versions(registry: RemoteRegistry, name: str) -> None:
    registry.register_model(name)
    assert numbers(registry.list_versions(name)) == [1, 2]


def test_search_versions(registry: RemoteRegistry, name: str) -> None:
    found = registry.search_versions("metrics.accuracy > 0.9", model=name)
    assert numbers(found) == [1]


def test_list_models(registry: RemoteRegistry, name: str) -> None:
    assert [model.name for model in registry.list_models(name)] == [name]


def test_get_model(registry: RemoteRegistry, name: str) -> None:
    assert registry.get_model(name).name == name


def test_rename_model(registry: RemoteRegistry, name: str) -> None:
    registry.rename_model(name, f"{name}-renamed")
    assert registry.get_model(f"{name}-renamed").name == f"{name}-renamed"


def test_delete_version(registry: RemoteRegistry, name: str) -> None:
    registry.delete_version(name, 1)
    assert registry.list_versions(name) == []


def test_delete_model(registry: RemoteRegistry, name: str) -> None:
    registry.delete_model(name)
    with pytest.raises(NotFound):
        registry.get_model(name)


def test_compare_versions(registry: RemoteRegistry, name: str) -> None:
    registry.register_model(name, metrics={"accuracy": 0.5})
    compared = registry.compare_versions(name, 1, 2)
    assert compared.metric_diffs["accuracy"].difference == pytest.approx(-0.45)


# Metrics, tags, aliases, texts


def test_log_metrics(registry: RemoteRegistry, name: str) -> None:
    assert registry.log_metrics(name, 1, {"f1": 0.5}).metrics["f1"] == 0.5


def test_set_description(registry: RemoteRegistry, name: str) -> None:
    registry.set_description(name, "Changed.", version=1)
    assert registry.get_version(name, 1).description == "Changed."


def test_set_tag(registry: RemoteRegistry, name: str) -> None:
    registry.set_tag(name, "a/b", "v", 1)
    assert registry.get_version(name, 1).tags == {"team": "nlp", "a/b": "v"}


def test_delete_tag(registry: RemoteRegistry, name: str) -> None:
    registry.delete_tag(name, "team", 1)
    assert registry.get_version(name, 1).tags == {}


def test_set_alias(registry: RemoteRegistry, name: str) -> None:
    registry.set_alias(name, "best", 1)
    assert registry.get_version(name, 1).aliases == ("best",)


def test_delete_alias(registry: RemoteRegistry, name: str) -> None:
    registry.set_alias(name, "best", 1)
    registry.delete_alias(name, "best")
    assert registry.get_version(name, 1).aliases == ()


# Files


def test_store_file(registry: RemoteRegistry, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"content")
    digest = registry.store_file(tmp_path / "a.bin")
    assert registry.store_file(tmp_path / "a.bin") == digest


def test_upload_artifact(registry: RemoteRegistry, name: str, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"content")
    assert [file.path for file in registry.upload_artifact(name, 1, tmp_path).files] == ["a.bin"]


def test_get_artifact(registry: RemoteRegistry, name: str, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"content")
    stored = registry.upload_artifact(name, 1, tmp_path)
    assert registry.get_artifact(name, 1) == stored


def test_download_artifact(registry: RemoteRegistry, name: str, tmp_path: Path) -> None:
    (tmp_path / "up").mkdir()
    (tmp_path / "up" / "a.txt").write_text(DESCRIPTION)
    registry.upload_artifact(name, 1, tmp_path / "up")
    registry.download_artifact(name, 1, tmp_path / "down")
    assert (tmp_path / "down" / "a.txt").read_text() == DESCRIPTION


def test_an_altered_file_is_cut_off_and_then_refused_until_it_is_uploaded_again(
    server: Server, registry: RemoteRegistry, name: str, tmp_path: Path
) -> None:
    source = tmp_path / "a.bin"
    source.write_bytes(b"0123456789abcdef" * 131_072 + b"end")
    sha256 = registry.upload_artifact(name, 1, source).files[0].sha256
    (stored,) = server.data.rglob(sha256)
    stored.write_bytes(b"X" + source.read_bytes()[1:])
    path = f"/api/v1/models/{name}/versions/1/artifact/files/a.bin"
    headers = {"Authorization": registry._api._headers["Authorization"]}
    with pytest.raises(ProtocolError, match="IncompleteRead"):
        urllib3.request("GET", f"{registry._api.base}{path}", headers=headers, retries=False)
    with pytest.raises(DamagedFile, match=sha256):
        registry.download_artifact(name, 1, tmp_path / "down")
    assert not (tmp_path / "down").exists()
    assert "a.bin is damaged" in registry.get_artifact(name, 1).warnings[0]
    registry.upload_artifact(name, 1, source)
    registry.download_artifact(name, 1, tmp_path / "down")
    assert (tmp_path / "down" / "a.bin").read_bytes() == source.read_bytes()


# Policies, checks and moves


def test_set_policy(registry: RemoteRegistry, name: str) -> None:
    assert registry.set_policy(ACCURATE, name) == 1


def test_get_policy(registry: RemoteRegistry, name: str) -> None:
    registry.set_policy(ACCURATE, name)
    assert registry.get_policy(Stage.STAGING, name) == ACCURATE


def test_get_policies(registry: RemoteRegistry, name: str) -> None:
    registry.set_policy(ACCURATE, name)
    assert (name, 1, ACCURATE) in registry.get_policies()


def test_replace_policy(registry: RemoteRegistry, name: str) -> None:
    assert registry.replace_policy(ACCURATE, name, 0) == 1
    assert registry.replace_policy(REVIEWED, name, 1) == 2
    with pytest.raises(Conflict):
        registry.replace_policy(ACCURATE, name, 1)


def test_remove_policy(registry: RemoteRegistry, name: str) -> None:
    registry.set_policy(ACCURATE, name)
    registry.remove_policy(Stage.STAGING, name, reason="Too strict")
    assert registry.get_policy(Stage.STAGING, name) is None


def test_simulate_policy(registry: RemoteRegistry, name: str) -> None:
    assert registry.simulate_policy(ACCURATE, name)


def test_check_promotion_policy(registry: RemoteRegistry, name: str) -> None:
    assert registry.check_promotion_policy(name, 1, ACCURATE).passed


def test_store_check(registry: RemoteRegistry, name: str) -> None:
    registry.set_policy(ACCURATE, name)
    check, result = registry.store_check(name, 1)
    assert check
    assert result.passed


def test_can_promote(registry: RemoteRegistry, name: str) -> None:
    assert registry.can_promote(name, 1).allowed


def test_transition_stage(registry: RemoteRegistry, name: str) -> None:
    registry.transition_stage(name, 1, Stage.STAGING, expected_revision=1)
    assert registry.get_version(name, 1).stage is Stage.STAGING
    with pytest.raises(Conflict):
        registry.transition_stage(name, 1, Stage.PRODUCTION, expected_revision=1)


def test_get_transitions(registry: RemoteRegistry, name: str) -> None:
    registry.transition_stage(name, 1, Stage.STAGING, reason="Good")
    moves = registry.get_transitions(name, 1)
    assert [move.reason for move in moves if move.to_stage is Stage.STAGING] == ["Good"]


def test_rollback(registry: RemoteRegistry, name: str) -> None:
    registry.register_model(name)
    for number in (1, 2):
        registry.transition_stage(name, number, Stage.STAGING)
        registry.transition_stage(name, number, Stage.PRODUCTION, archive_existing=True)
    registry.rollback(name, reason="Worse")
    assert registry.get_version(name, 1).stage is Stage.PRODUCTION


# Requests and waivers


@pytest.fixture
def requested(registry: RemoteRegistry, name: str) -> str:
    """Register a model whose first version has an open request."""
    registry.set_policy(REVIEWED, name)
    registry.request_transition(name, 1)
    return name


def test_request_transition(registry: RemoteRegistry, name: str) -> None:
    assert registry.request_transition(name, 1).to_stage is Stage.STAGING


def test_get_requests(registry: RemoteRegistry, requested: str) -> None:
    assert [each.version for each in registry.get_requests(requested)] == [1]


def test_approve(registry: RemoteRegistry, reviewer: RemoteRegistry, requested: str) -> None:
    reviewer.approve(requested, 1, comment="Good")
    assert registry.can_promote(requested, 1).allowed


def test_reject(registry: RemoteRegistry, reviewer: RemoteRegistry, requested: str) -> None:
    reviewer.reject(requested, 1, comment="Bad")
    assert registry.get_requests(requested)[0].status is RequestStatus.REJECTED


def test_withdraw(registry: RemoteRegistry, requested: str) -> None:
    assert registry.withdraw(requested, 1).status is RequestStatus.WITHDRAWN


@pytest.fixture
def waived(registry: RemoteRegistry, name: str) -> str:
    """Register a model whose first version has a waiver."""
    strict = PromotionPolicy(Stage.STAGING).require_metric("accuracy", Comparison.GTE, 0.99)
    registry.set_policy(strict, name)
    expires_at = datetime.now(UTC) + timedelta(days=1)
    registry.waive(name, 1, ["accuracy ≥ 0.99"], reason="Known", expires_at=expires_at)
    return name


def test_waive(registry: RemoteRegistry, waived: str) -> None:
    assert registry.check_promotion_policy(waived, 1).passed


def test_get_waivers(registry: RemoteRegistry, waived: str) -> None:
    assert [waiver.reason for waiver in registry.get_waivers(waived, 1)] == ["Known"]


def test_revoke_waiver(registry: RemoteRegistry, waived: str) -> None:
    (waiver,) = registry.get_waivers(waived, 1)
    registry.revoke_waiver(waiver.id, reason="Fixed")
    assert not registry.check_promotion_policy(waived, 1).passed


# Guardrails and limits


@pytest.fixture
def live(registry: RemoteRegistry, name: str) -> str:
    """Register a model in Production with a guardrail."""
    registry.transition_stage(name, 1, Stage.STAGING)
    registry.transition_stage(name, 1, Stage.PRODUCTION)
    registry.set_guardrail(name, Guardrail("errors", Comparison.LTE, 0.1))
    return name


def test_set_guardrail(registry: RemoteRegistry, live: str) -> None:
    registry.set_guardrail(live, Guardrail("latency_ms", Comparison.LTE, 50))
    assert len(registry.get_guardrails(live)) == 2


def test_get_guardrails(registry: RemoteRegistry, live: str) -> None:
    assert [each.metric for each in registry.get_guardrails(live)] == ["errors"]


def test_remove_guardrail(registry: RemoteRegistry, live: str) -> None:
    registry.remove_guardrail(live, "errors")
    assert registry.get_guardrails(live) == []


def test_report_live_metric(registry: RemoteRegistry, live: str) -> None:
    report = registry.report_live_metric(live, "errors", 0.05)
    assert (report.version, report.value) == (1, 0.05)


def test_set_wip_limit(registry: RemoteRegistry, name: str) -> None:
    registry.set_wip_limit(WipLimit(Stage.STAGING, 1), name)
    registry.register_model(name)
    registry.transition_stage(name, 1, Stage.STAGING)
    assert not registry.can_promote(name, 2).allowed


def test_remove_wip_limit(registry: RemoteRegistry, name: str) -> None:
    registry.set_wip_limit(WipLimit(Stage.STAGING, 1), name)
    registry.remove_wip_limit(Stage.STAGING, name)
    with pytest.raises(NotFound):
        registry.remove_wip_limit(Stage.STAGING, name)


def test_set_governed_alias(registry: RemoteRegistry, name: str) -> None:
    registry.set_governed_alias(GovernedAlias("best"), name)
    with pytest.raises(AliasRefused, match="Development to Staging, then to Production"):
        registry.set_alias(name, "best", 1)


def test_remove_governed_alias(registry: RemoteRegistry, name: str) -> None:
    registry.set_governed_alias(GovernedAlias("best"), name)
    registry.remove_governed_alias("best", name)
    registry.set_alias(name, "best", 1)
    with pytest.raises(NotFound):
        registry.remove_governed_alias("best", name)


def test_get_governed_aliases(registry: RemoteRegistry, name: str) -> None:
    registry.set_governed_alias(GovernedAlias("next", Stage.STAGING), name)
    assert [each.alias for each in registry.get_governed_aliases(name)] == ["champion", "next"]
    assert [each.alias for each in registry.get_governed_aliases()] == ["champion"]


def test_list_governed_aliases(registry: RemoteRegistry, name: str) -> None:
    registry.set_governed_alias(GovernedAlias("next", Stage.STAGING), name)
    found = [(model, each.alias) for model, each in registry.list_governed_aliases()]
    assert found[0] == (None, "champion")
    assert (name, "next") in found


# The log and the account


def test_audit_events(registry: RemoteRegistry, name: str) -> None:
    assert len(list(registry.audit_events(model=name))) == 2


def test_me(registry: RemoteRegistry) -> None:
    assert registry.me()["account"] == "trainer"
