"""Invalid input: every registry refuses it and changes nothing."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from boards.registry.database import DatabaseRegistry
from obeya import (
    AlreadyExists,
    Comparison,
    Conflict,
    InMemoryRegistry,
    InvalidInput,
    InvalidTransition,
    Metric,
    ModelRegistry,
    NotFound,
    PromotionPolicy,
    RegistryError,
    TransitionRefused,
)
from obeya.aliases.governed import GovernedAlias
from obeya.transitions.guardrails import Guardrail
from obeya.transitions.limits import WipLimit
from tests.offenders import every_case
from tests.registry.conformance import (
    DEV,
    NAME,
    PROD,
    STAGING,
    floor,
    promote,
    unchanged,
)

NUMBER_MAX = 2**31 - 1
LATE = datetime(2030, 1, 1, tzinfo=UTC)
GUARDRAIL = Guardrail("errors", Comparison.LTE, 0.1)
Call = Callable[[ModelRegistry, Any], object]

# Every method that takes the name of an existing model, called with that name.
BY_NAME: dict[str, Call] = {
    "get_version": lambda r, name: r.get_version(name, 1),
    "list_versions": lambda r, name: r.list_versions(name),
    "get_latest": lambda r, name: r.get_latest(name),
    "get_by_stage": lambda r, name: r.get_by_stage(DEV, name),
    "get_latest_in_stage": lambda r, name: r.get_latest_in_stage(name, DEV),
    "log_metrics": lambda r, name: r.log_metrics(name, 1, {"f1": 0.5}),
    "set_policy": lambda r, name: r.set_policy(floor(PROD), name),
    "get_policy": lambda r, name: r.get_policy(STAGING, name),
    "check_promotion_policy": lambda r, name: r.check_promotion_policy(name, 1),
    "can_promote": lambda r, name: r.can_promote(name, 1),
    "transition_stage": lambda r, name: r.transition_stage(name, 1, STAGING),
    "get_transitions": lambda r, name: r.get_transitions(name),
    "compare_versions": lambda r, name: r.compare_versions(name, 1, 1),
    "set_tag": lambda r, name: r.set_tag(name, "k", "v"),
    "delete_tag": lambda r, name: r.delete_tag(name, "there"),
    "set_alias": lambda r, name: r.set_alias(name, "best", 1),
    "delete_alias": lambda r, name: r.delete_alias(name, "there"),
    "set_description": lambda r, name: r.set_description(name, "Text."),
    "rename_model": lambda r, name: r.rename_model(name, "renamed"),
    "delete_version": lambda r, name: r.delete_version(name, 1),
    "delete_model": lambda r, name: r.delete_model(name),
    "request_transition": lambda r, name: r.request_transition(name, 1),
    "get_requests": lambda r, name: r.get_requests(name),
    "approve": lambda r, name: r.approve(name, 1),
    "reject": lambda r, name: r.reject(name, 1, comment="No."),
    "withdraw": lambda r, name: r.withdraw(name, 1),
    "waive": lambda r, name: r.waive(name, 1, ["f1 > 1"], reason="Why.", expires_at=LATE),
    "rollback": lambda r, name: r.rollback(name, reason="Why."),
    "set_guardrail": lambda r, name: r.set_guardrail(name, GUARDRAIL),
    "remove_guardrail": lambda r, name: r.remove_guardrail(name, "errors"),
    "report_live_metric": lambda r, name: r.report_live_metric(name, "errors", 1),
    "set_wip_limit": lambda r, name: r.set_wip_limit(WipLimit(PROD, 1), name),
    "remove_wip_limit": lambda r, name: r.remove_wip_limit(PROD, name),
    "set_governed_alias": lambda r, name: r.set_governed_alias(GovernedAlias("best"), name),
    "remove_governed_alias": lambda r, name: r.remove_governed_alias("best", name),
    "get_governed_aliases": lambda r, name: r.get_governed_aliases(name),
    "remove_policy": lambda r, name: r.remove_policy(PROD, name),
}
# Every method that takes the number of an existing version, called with that number.
BY_NUMBER: dict[str, Call] = {
    "get_version": lambda r, number: r.get_version(NAME, number),
    "log_metrics": lambda r, number: r.log_metrics(NAME, number, {"f1": 0.5}),
    "check_promotion_policy": lambda r, number: r.check_promotion_policy(NAME, number),
    "can_promote": lambda r, number: r.can_promote(NAME, number),
    "transition_stage": lambda r, number: r.transition_stage(NAME, number, STAGING),
    "get_transitions": lambda r, number: r.get_transitions(NAME, number),
    "compare_versions": lambda r, number: r.compare_versions(NAME, number, 1),
    "compare_versions b": lambda r, number: r.compare_versions(NAME, 1, number),
    "set_tag": lambda r, number: r.set_tag(NAME, "k", "v", number),
    "delete_tag": lambda r, number: r.delete_tag(NAME, "there", number),
    "set_alias": lambda r, number: r.set_alias(NAME, "best", number),
    "set_description": lambda r, number: r.set_description(NAME, "Text.", number),
    "delete_version": lambda r, number: r.delete_version(NAME, number),
    "request_transition": lambda r, number: r.request_transition(NAME, number),
    "get_requests": lambda r, number: r.get_requests(NAME, number),
    "approve": lambda r, number: r.approve(NAME, number),
    "reject": lambda r, number: r.reject(NAME, number, comment="No."),
    "withdraw": lambda r, number: r.withdraw(NAME, number),
    "waive": lambda r, number: r.waive(
        NAME, number, ["f1 > 1"], reason="Why.", expires_at=LATE, to_stage=PROD
    ),
    "rollback": lambda r, number: r.rollback(NAME, number, reason="Why."),
    "report_live_metric": lambda r, number: r.report_live_metric(NAME, "errors", 1, version=number),
}
# Every method that takes a stage, called with that stage.
BY_STAGE: dict[str, Call] = {
    "get_by_stage": lambda r, stage: r.get_by_stage(stage, NAME),
    "get_latest_in_stage": lambda r, stage: r.get_latest_in_stage(NAME, stage),
    "get_policy": lambda r, stage: r.get_policy(stage, NAME),
    "transition_stage": lambda r, stage: r.transition_stage(NAME, 1, stage),
    "transition_stage expected": lambda r, stage: r.transition_stage(
        NAME, 1, STAGING, expected_stage=stage
    ),
    "check_promotion_policy": lambda r, stage: r.check_promotion_policy(NAME, 1, None, stage),
    "can_promote": lambda r, stage: r.can_promote(NAME, 1, stage),
    "request_transition": lambda r, stage: r.request_transition(NAME, 1, stage),
    "approve": lambda r, stage: r.approve(NAME, 1, to_stage=stage),
    "reject": lambda r, stage: r.reject(NAME, 1, comment="No.", to_stage=stage),
    "withdraw": lambda r, stage: r.withdraw(NAME, 1, to_stage=stage),
    "waive": lambda r, stage: r.waive(
        NAME, 1, ["f1 > 1"], reason="Why.", expires_at=LATE, to_stage=stage
    ),
    "remove_wip_limit": lambda r, stage: r.remove_wip_limit(stage, NAME),
    "remove_policy": lambda r, stage: r.remove_policy(stage, NAME),
}


@pytest.fixture
def registry(any_registry: ModelRegistry) -> ModelRegistry:
    """Register a model with one version, a tag of each and an alias."""
    any_registry.register_model(NAME, metrics={"accuracy": 0.95}, tags={"there": "x"})
    any_registry.set_tag(NAME, "there", "x")
    any_registry.set_alias(NAME, "there", 1)
    return any_registry


def test_the_tables_cover_every_method() -> None:
    methods = inspect.getmembers(ModelRegistry, inspect.isfunction)
    parameters = {
        name: set(inspect.signature(method).parameters)
        for name, method in methods
        if not name.startswith("_")
    }
    assert set(BY_NAME) == {n for n, takes in parameters.items() if "name" in takes} - {
        "register_model"
    }
    by_number = {n for n, takes in parameters.items() if takes & {"version", "a", "b"}}
    assert {name.split()[0] for name in BY_NUMBER} == (by_number | {"rollback"}) - {
        "register_model"
    }
    by_stage = {n for n, takes in parameters.items() if takes & {"stage", "to_stage"}}
    assert {name.split()[0] for name in BY_STAGE} == by_stage


@pytest.mark.parametrize("implementation", [InMemoryRegistry, DatabaseRegistry])
def test_every_implementation_has_the_methods_of_the_contract(
    implementation: type[ModelRegistry],
) -> None:
    for name in BY_NAME:
        ours, contract = getattr(implementation, name), getattr(ModelRegistry, name)
        assert inspect.signature(ours) == inspect.signature(contract)


# Names of models


def test_an_unknown_model_is_not_found(registry: ModelRegistry) -> None:
    with unchanged(registry, NAME, "none", "renamed"), every_case() as case:
        for operation, call in BY_NAME.items():
            with case(operation):
                with pytest.raises(NotFound) as error:
                    call(registry, "none")
                assert error.value.what == "model"
                assert "“none”" in str(error.value)


def test_an_invalid_name_is_not_found(registry: ModelRegistry) -> None:
    with unchanged(registry), every_case() as case:
        for operation, call in BY_NAME.items():
            for name in ("", "x" * 10_000, "a\nb", "a/b", "a:b", ".", "..", "名" * 300):
                with case((operation, name)):
                    with pytest.raises((NotFound, InvalidInput)) as error:
                        call(registry, name)
                    assert len(str(error.value)) < 200


def test_an_unstorable_name_is_not_found(registry: ModelRegistry) -> None:
    with unchanged(registry), every_case() as case:
        for operation, call in BY_NAME.items():
            for name in ("a\x00b", "a\ud800b"):
                with case((operation, ascii(name))), pytest.raises((NotFound, InvalidInput)):
                    call(registry, name)


def test_a_model_is_found_under_every_spelling_that_registers_it(
    any_registry: ModelRegistry,
) -> None:
    with every_case() as case:
        for operation, call in BY_NAME.items():
            for stored, spelling in (("résumé", "re\u0301sume\u0301"), ("resnet", " resnet ")):
                any_registry.register_model(
                    spelling, metrics={"accuracy": 0.95}, tags={"there": "x"}
                )
                any_registry.set_tag(stored, "there", "x")
                any_registry.set_alias(stored, "there", 1)
                with case((operation, spelling)):
                    try:
                        call(any_registry, spelling)
                    except RegistryError as error:
                        # Something else can be missing, but the model was found.
                        assert "no registered model" not in str(error)  # noqa: PT017
                for name in (stored, "renamed"):
                    with suppress(NotFound):
                        any_registry.delete_model(name)


def test_a_model_is_not_renamed_to_an_invalid_name(registry: ModelRegistry) -> None:
    unnameable = ("", "  ", "x" * 257, "x" * 10_000, "a\nb", "a\x00b", "a\ud800b")
    for name in (*unnameable, "a/b", "a:b", ".", ".."):
        with unchanged(registry), pytest.raises(InvalidInput) as error:
            registry.rename_model(NAME, name)
        assert error.value.field == "name"


# Numbers of versions


def test_an_unknown_version_is_not_found(registry: ModelRegistry) -> None:
    registry.register_model(NAME)
    registry.delete_version(NAME, 2)
    with unchanged(registry), every_case() as case:
        for operation, call in BY_NUMBER.items():
            # The second was deleted, the others never existed.
            for number in (2, 9, NUMBER_MAX):
                with case((operation, number)):
                    with pytest.raises(NotFound) as error:
                        call(registry, number)
                    assert error.value.what == "version"
                    assert str(error.value) == f"{NAME} has no version {number}."


def test_an_invalid_number_is_refused(registry: ModelRegistry) -> None:
    with unchanged(registry), every_case() as case:
        for operation, call in BY_NUMBER.items():
            for number in (0, -1, True, "1", 1.0, 2**31, 2**40, math.nan):
                with case((operation, number)):
                    with pytest.raises(InvalidInput) as error:
                        call(registry, number)
                    assert error.value.field == "version"


# Stages


def test_an_unknown_stage_is_refused(registry: ModelRegistry) -> None:
    with unchanged(registry), every_case() as case:
        for operation, call in BY_STAGE.items():
            for stage in ("somewhere", "", "x" * 10_000, 3):
                with case((operation, stage)):
                    with pytest.raises(InvalidInput, match="is not a stage") as error:
                        call(registry, stage)
                    assert error.value.field == "stage"
                    assert len(str(error.value)) < 200


# Registering


UNREGISTRABLE: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "name"),
    ({"name": "x" * 257}, "name"),
    ({"name": "x" * 10_000}, "name"),
    ({"name": "a\nb"}, "name"),
    ({"name": "a\x00b"}, "name"),
    ({"name": "a\ud800b"}, "name"),
    ({"name": "a/b"}, "name"),
    ({"name": "a:b"}, "name"),
    ({"name": "."}, "name"),
    ({"name": ".."}, "name"),
    ({"name": None}, "name"),
    ({"version": 0}, "version"),
    ({"version": -1}, "version"),
    ({"version": 2**40}, "version"),
    ({"version": True}, "version"),
    ({"version": "1"}, "version"),
    ({"version": 1.0}, "version"),
    ({"metrics": {"accuracy": math.nan}}, "metric"),
    ({"metrics": {"accuracy": math.inf}}, "metric"),
    ({"metrics": {"accuracy": -math.inf}}, "metric"),
    ({"metrics": {"accuracy": 10**400}}, "metric"),
    ({"metrics": {"accuracy": "0.9"}}, "metric"),
    ({"metrics": {"accuracy": True}}, "metric"),
    ({"metrics": {"": 0.9}}, "metric"),
    ({"metrics": {"x" * 251: 0.9}}, "metric"),
    ({"metrics": {"a\x00": 0.9}}, "metric"),
    ({"metrics": {"a": Metric("b", 1.0)}}, "metrics"),
    ({"metrics": {f"m{n}": 1.0 for n in range(1_001)}}, "metrics"),
    ({"tags": {"": "x"}}, "key"),
    ({"tags": {"x" * 251: "x"}}, "key"),
    ({"tags": {"k": "x" * 100_001}}, "value"),
    ({"tags": {"k": "\x00"}}, "value"),
    ({"tags": {"é": "x", "e\u0301": "y"}}, "tags"),
    ({"label": "x" * 65}, "label"),
    ({"label": "a\nb"}, "label"),
    ({"artifact_path": "x" * 2_049}, "artifact_path"),
    ({"description": "x" * 100_001}, "description"),
    ({"description": "\x00"}, "description"),
    ({"source_run": "x" * 251}, "source_run"),
]


def test_a_refused_registration_creates_neither_version_nor_model(
    registry: ModelRegistry,
) -> None:
    with unchanged(registry, NAME, "new"), every_case() as case:
        for bad, field in UNREGISTRABLE:
            for name in (NAME, "new"):
                with case((name, bad)):
                    with pytest.raises(InvalidInput) as error:
                        registry.register_model(**{"name": name, **bad})
                    assert error.value.field == field


def test_a_used_number_is_not_assigned_again(registry: ModelRegistry) -> None:
    registry.register_model(NAME, 5)
    registry.register_model(NAME)
    registry.delete_version(NAME, 6)
    for taken in (1, 3, 5, 6):
        with unchanged(registry), pytest.raises(AlreadyExists) as error:
            registry.register_model(NAME, taken)
        assert error.value.field == "version"
    assert registry.register_model(NAME).version == 7


def test_there_is_no_number_after_the_largest(registry: ModelRegistry) -> None:
    assert registry.register_model(NAME, NUMBER_MAX).version == NUMBER_MAX
    with unchanged(registry), pytest.raises(InvalidInput, match="no version numbers left"):
        registry.register_model(NAME)


def test_a_used_label_is_refused(registry: ModelRegistry) -> None:
    registry.register_model(NAME, label="résumé")
    for spelling in ("résumé", "re\u0301sume\u0301", " résumé "):
        with unchanged(registry), pytest.raises(AlreadyExists, match="résumé") as error:
            registry.register_model(NAME, label=spelling)
        assert error.value.field == "label"


# Evidence, tags, aliases, texts


def test_one_invalid_metric_prevents_logging_all(registry: ModelRegistry) -> None:
    unloggable: list[dict[str, Any]] = [
        {"f1": 0.9, "accuracy": math.nan},
        {"f1": 0.9, "accuracy": math.inf},
        {"f1": 0.9, "accuracy": "0.9"},
        {"f1": 0.9, "": 0.9},
        {"f1": 0.9, "a": Metric("b", 1.0)},
        {"f1": 0.9, " f1": 0.8},
        {f"m{n}": 1.0 for n in range(1_001)},
    ]
    with unchanged(registry), every_case() as case:
        for metrics in unloggable:
            with case(metrics), pytest.raises(InvalidInput):
                registry.log_metrics(NAME, 1, metrics)


def test_an_invalid_tag_is_refused(registry: ModelRegistry) -> None:
    tags: list[tuple[str, Any, str]] = [
        ("", "v", "key"),
        ("x" * 251, "v", "key"),
        ("a\nb", "v", "key"),
        ("a\x00b", "v", "key"),
        ("there", "x" * 100_001, "value"),
        ("there", "\x00", "value"),
        ("there", None, "value"),
    ]
    with unchanged(registry), every_case() as case:
        for key, value, field in tags:
            for version in (None, 1):
                with case((version, key, value)):
                    with pytest.raises(InvalidInput) as error:
                        registry.set_tag(NAME, key, value, version)
                    assert error.value.field == field


def test_an_unknown_tag_is_not_found(registry: ModelRegistry) -> None:
    with unchanged(registry), every_case() as case:
        for key in ("none", "", "x" * 10_000, "THERE"):
            for version in (None, 1):
                with case((version, key)):
                    with pytest.raises(NotFound) as error:
                        registry.delete_tag(NAME, key, version)
                    assert error.value.what == "tag"


def test_an_invalid_alias_is_refused(registry: ModelRegistry) -> None:
    aliases = ("", "latest", "Latest", "v1", "V12", "a b", "a/b", "a\x00b", "x" * 256, "a@b")
    with unchanged(registry), every_case() as case:
        for alias in aliases:
            with case(alias):
                with pytest.raises(InvalidInput) as error:
                    registry.set_alias(NAME, alias, 1)
                assert error.value.field == "alias"


def test_an_unknown_alias_is_not_found(registry: ModelRegistry) -> None:
    with unchanged(registry), every_case() as case:
        for alias in ("none", "", "x" * 10_000, "THERE", "v1"):
            with case(alias):
                with pytest.raises(NotFound) as error:
                    registry.delete_alias(NAME, alias)
                assert error.value.what == "alias"


def test_unstorable_text_is_refused_as_tag_and_alias(
    registry: ModelRegistry,
) -> None:
    for text in ("a\x00b", "\ud800"):
        for call in (
            lambda text=text: registry.delete_tag(NAME, text),
            lambda text=text: registry.delete_tag(NAME, text, 1),
            lambda text=text: registry.delete_alias(NAME, text),
        ):
            with unchanged(registry), pytest.raises((NotFound, InvalidInput)):
                call()


def test_a_tag_and_an_alias_are_found_under_every_spelling_that_sets_them(
    registry: ModelRegistry,
) -> None:
    spelling = "re\u0301sume\u0301"
    registry.set_tag(NAME, spelling, "x")
    registry.set_tag(NAME, spelling, "x", 1)
    registry.set_alias(NAME, spelling, 1)
    registry.delete_tag(NAME, spelling)
    registry.delete_tag(NAME, spelling, 1)
    registry.delete_alias(NAME, spelling)
    version = registry.get_version(NAME, 1)
    assert (dict(version.tags), version.aliases) == ({"there": "x"}, ("there",))


UNSTORABLE: list[Any] = ["\x00", "\ud800", None]


def test_an_invalid_description_is_refused(registry: ModelRegistry) -> None:
    with unchanged(registry), every_case() as case:
        for text in ("x" * 100_001, *UNSTORABLE):
            for version in (None, 1):
                with case((version, ascii(text))):
                    with pytest.raises(InvalidInput) as error:
                        registry.set_description(NAME, text, version)
                    assert error.value.field == "description"


def test_an_invalid_reason_is_refused_and_the_version_stays(registry: ModelRegistry) -> None:
    with unchanged(registry), every_case() as case:
        for reason in ("x" * 10_001, *UNSTORABLE):
            with case(ascii(reason)):
                with pytest.raises(InvalidInput) as error:
                    registry.transition_stage(NAME, 1, STAGING, reason=reason)
                assert error.value.field == "reason"


# Policies


def test_a_policy_without_a_stage_is_not_stored(registry: ModelRegistry) -> None:
    for name in (None, NAME):
        with unchanged(registry), pytest.raises(InvalidInput, match="target stage") as error:
            registry.set_policy(PromotionPolicy(), name)
        assert error.value.field == "stage"


# Moving


def test_a_stale_expectation_is_refused_with_the_current_state(registry: ModelRegistry) -> None:
    registry.transition_stage(NAME, 1, STAGING)
    for expected in (
        {"expected_stage": DEV},
        {"expected_revision": 1},
        {"expected_revision": 3},
        {"expected_stage": STAGING, "expected_revision": 1},
        {"expected_stage": PROD, "expected_revision": 2},
    ):
        with unchanged(registry), pytest.raises(Conflict) as conflict:
            registry.transition_stage(NAME, 1, PROD, **expected)
        assert (conflict.value.stage, conflict.value.revision) == (STAGING, 2)
    registry.transition_stage(NAME, 1, PROD, expected_stage=STAGING, expected_revision=2)


def test_bad_input_is_refused_before_staleness_and_staleness_before_rules(
    registry: ModelRegistry,
) -> None:
    registry.set_policy(floor(STAGING, 0.99))
    with unchanged(registry), pytest.raises(Conflict):
        registry.transition_stage(NAME, 1, PROD, expected_revision=7)
    with unchanged(registry), pytest.raises(Conflict):
        registry.transition_stage(NAME, 1, STAGING, expected_stage=PROD)
    with unchanged(registry), pytest.raises(InvalidInput):
        registry.transition_stage(NAME, 1, "x", expected_revision=7)  # type: ignore[arg-type]
    with unchanged(registry), pytest.raises(NotFound):
        registry.transition_stage(NAME, 9, STAGING, expected_revision=7)


def test_a_refused_move_with_archive_existing_archives_nothing(registry: ModelRegistry) -> None:
    registry.register_model(NAME, metrics={"accuracy": 0.5})
    promote(registry, 1)
    registry.set_policy(floor(PROD))
    for _ in range(2):
        with unchanged(registry), pytest.raises(TransitionRefused):
            registry.transition_stage(NAME, 2, PROD, archive_existing=True)
        if registry.get_version(NAME, 2).stage is DEV:
            registry.transition_stage(NAME, 2, STAGING)


def test_every_error_has_a_code(registry: ModelRegistry) -> None:
    registry.set_policy(floor(STAGING, 0.99))
    seen = {}
    for call in (
        lambda: registry.get_version(NAME, 0),
        lambda: registry.get_version(NAME, 9),
        lambda: registry.register_model(NAME, 1),
        lambda: registry.transition_stage(NAME, 1, STAGING, expected_revision=9),
        lambda: registry.transition_stage(NAME, 1, STAGING),
        lambda: registry.transition_stage(NAME, 1, PROD),
    ):
        with pytest.raises(RegistryError) as error:
            call()
        seen[error.value.code] = (error.value.http_status, error.value.exit_status)
    assert seen == {
        "invalid_input": (400, 2),
        "not_found": (404, 3),
        "already_exists": (409, 4),
        "conflict": (409, 4),
        "transition_refused": (422, 1),
        "invalid_transition": (422, 1),
    }
    assert issubclass(InvalidTransition, TransitionRefused)
