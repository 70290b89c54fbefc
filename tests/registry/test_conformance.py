"""Behaviour of every registry: models, versions, evidence and labels.

Moves are tested in test_conformance_moves.py, refusals in test_conformance_bad_input.py.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from obeya import AlreadyExists, Metric, ModelRegistry, NotFound, Stage
from obeya.comparison import DiffOutcome
from tests.registry.conformance import (
    ARCHIVED,
    DEV,
    NAME,
    PROD,
    STAGING,
    floor,
    numbers_of,
    promote,
    unchanged,
)


@pytest.fixture
def registry(any_registry: ModelRegistry) -> ModelRegistry:
    return any_registry


# Registering


def test_a_version_is_registered_in_development_with_every_field(
    registry: ModelRegistry,
) -> None:
    made = registry.register_model(
        NAME,
        1,
        {"accuracy": 0.95, "auc": Metric("auc", 0.9, 1_000, 0.01, "holdout")},
        "s3://models/1",
        label="1.0.0",
        tags={"team": "nlp"},
        description="First.\n\nOf *many*.",
        source_run="run-1",
    )
    version = registry.get_version(NAME, 1)
    assert made == version
    assert str(version) == f"{NAME} v1"
    assert (version.model, version.version, version.revision) == (NAME, 1, 1)
    assert (version.stage, version.stage_entered_at) == (DEV, version.created_at)
    assert version.measurements["accuracy"] == Metric("accuracy", 0.95)
    assert version.measurements["auc"] == Metric("auc", 0.9, 1_000, 0.01, "holdout")
    assert (version.label, version.artifact_path) == ("1.0.0", "s3://models/1")
    assert (dict(version.tags), version.aliases) == ({"team": "nlp"}, ())
    assert (version.description, version.source_run) == ("First.\n\nOf *many*.", "run-1")
    assert version.owner == "alice"
    assert version.created_at.utcoffset() == timedelta(0)


def test_a_version_needs_no_more_than_the_name_of_its_model(registry: ModelRegistry) -> None:
    version = registry.register_model(NAME)
    assert (dict(version.metrics), dict(version.tags), version.aliases) == ({}, {}, ())
    assert {version.label, version.artifact_path, version.source_run, version.description} == {""}


def test_the_next_number_is_allotted(registry: ModelRegistry) -> None:
    assert [registry.register_model(NAME).version for _ in range(3)] == [1, 2, 3]
    assert registry.register_model(NAME, 10).version == 10
    assert registry.register_model(NAME).version == 11


def test_each_model_numbers_its_versions_separately(registry: ModelRegistry) -> None:
    registry.register_model(NAME, 7)
    assert registry.register_model("other").version == 1
    assert registry.register_model(NAME).version == 8


def test_numbers_only_grow_and_are_never_reused(registry: ModelRegistry) -> None:
    registry.register_model(NAME, 5)
    registry.delete_version(NAME, 5)
    for taken in (5, 3):
        with pytest.raises(AlreadyExists):
            registry.register_model(NAME, taken)
    assert registry.register_model(NAME).version == 6


def test_a_label_is_unique_within_its_model_and_free_again_after_deletion(
    registry: ModelRegistry,
) -> None:
    registry.register_model(NAME, label="1.0.0")
    registry.register_model("other", label="1.0.0")
    with pytest.raises(AlreadyExists, match=r"1\.0\.0"):
        registry.register_model(NAME, label="1.0.0")
    registry.register_model(NAME)
    registry.register_model(NAME)
    registry.delete_version(NAME, 1)
    assert registry.register_model(NAME, label="1.0.0").version == 4


@pytest.mark.parametrize("name", ["x" * 256, "名前", "a b.c_d-e", "🙂", "%2F?#&\\", "None", "v1"])
def test_a_model_can_have_any_valid_name(registry: ModelRegistry, name: str) -> None:
    registry.register_model(name)
    assert registry.get_version(name, 1).model == name
    registry.transition_stage(name, 1, STAGING)
    assert len(registry.get_transitions(name)) == 2


@pytest.mark.filterwarnings("ignore::obeya.look_alikes.new_names.SimilarNameWarning")
def test_names_that_differ_in_case_are_two_models(registry: ModelRegistry) -> None:
    names = "resnet", "ResNet"
    made = [registry.register_model(name, allow_similar=True) for name in names]
    assert [version.version for version in made] == [1, 1]


def test_two_spellings_of_a_name_are_one_model(registry: ModelRegistry) -> None:
    registry.register_model("re\u0301sume\u0301")
    assert registry.register_model("résumé").version == 2
    assert registry.register_model("  résumé ").version == 3


# Reading


def test_versions_are_found_by_stage_and_by_number(registry: ModelRegistry) -> None:
    for _ in range(4):
        registry.register_model(NAME)
    registry.transition_stage(NAME, 1, STAGING)
    registry.transition_stage(NAME, 3, STAGING)
    assert numbers_of(registry.list_versions(NAME)) == [1, 2, 3, 4]
    by_stage = {stage: numbers_of(registry.get_by_stage(stage, NAME)) for stage in Stage}
    assert by_stage == {DEV: [2, 4], STAGING: [1, 3], PROD: [], ARCHIVED: []}
    latest, staged = registry.get_latest(NAME), registry.get_latest_in_stage(NAME, STAGING)
    assert latest == registry.get_version(NAME, 4)
    assert staged == registry.get_version(NAME, 3)
    assert registry.get_latest_in_stage(NAME, PROD) is None


def test_every_way_to_read_a_version_shows_the_same(registry: ModelRegistry) -> None:
    registry.register_model(
        NAME, metrics={"b": 1.0, "a": Metric("a", 2.0, 5)}, tags={"z": "1", "y": "2"}, label="x"
    )
    registry.set_alias(NAME, "best", 1)
    registry.set_alias(NAME, "another", 1)
    version = registry.get_version(NAME, 1)
    assert version.aliases == ("another", "best")
    assert list(registry.list_versions(NAME)) == [version]
    assert list(registry.get_by_stage(DEV, NAME)) == [version]
    assert registry.get_latest(NAME) == version
    assert registry.get_latest_in_stage(NAME, DEV) == version
    assert registry.log_metrics(NAME, 1, {}) == version


def test_the_latest_in_a_stage_is_by_number_and_not_by_when_it_came(
    registry: ModelRegistry,
) -> None:
    for _ in range(2):
        registry.register_model(NAME)
    for number in (2, 1):
        registry.transition_stage(NAME, number, STAGING)
    latest = registry.get_latest_in_stage(NAME, STAGING)
    assert latest is not None
    assert latest.version == 2


def test_a_model_whose_versions_are_all_deleted_has_no_latest(registry: ModelRegistry) -> None:
    registry.register_model(NAME)
    registry.delete_version(NAME, 1)
    assert registry.get_latest(NAME) is None
    assert registry.get_latest_in_stage(NAME, DEV) is None
    assert list(registry.list_versions(NAME)) == []
    assert list(registry.get_transitions(NAME)) == []


def test_a_stage_may_be_named_in_any_case(registry: ModelRegistry) -> None:
    registry.register_model(NAME)
    registry.transition_stage(NAME, 1, "STAGING", expected_stage="Development")  # type: ignore[arg-type]  # typed by hand
    assert numbers_of(registry.get_by_stage("Staging", NAME)) == [1]  # type: ignore[arg-type]  # the same


# Evidence


def test_a_metric_logged_again_is_replaced_and_the_others_stay(registry: ModelRegistry) -> None:
    registry.register_model(NAME, metrics={"accuracy": Metric("accuracy", 0.5, 10), "f1": 0.4})
    changed = registry.log_metrics(NAME, 1, {"accuracy": 0.6, "auc": 0.7})
    assert changed == registry.get_version(NAME, 1)
    assert dict(changed.measurements) == {
        "accuracy": Metric("accuracy", 0.6),
        "f1": Metric("f1", 0.4),
        "auc": Metric("auc", 0.7),
    }
    assert changed.revision == 2


def test_logging_the_same_metrics_changes_nothing_and_more_detail_does(
    registry: ModelRegistry,
) -> None:
    registry.register_model(NAME, metrics={"accuracy": 0.5})
    with unchanged(registry):
        registry.log_metrics(NAME, 1, {})
        registry.log_metrics(NAME, 1, {"accuracy": 0.5})
    for number, metric in enumerate(
        [
            Metric("accuracy", 0.5, 100),
            Metric("accuracy", 0.5, 100, 0.01),
            Metric("accuracy", 0.5, 100, 0.01, "holdout"),
        ],
        start=2,
    ):
        changed = registry.log_metrics(NAME, 1, {"accuracy": metric})
        assert (changed.measurements["accuracy"], changed.revision) == (metric, number)


@pytest.mark.parametrize(
    "value",
    [0, -0.0, 5e-324, -5e-324, 1.7976931348623157e308, -1.7976931348623157e308, 0.1, 2**53 + 2],
)
def test_values_are_stored_exactly(registry: ModelRegistry, value: float) -> None:
    registry.register_model(NAME, metrics={"m": value})
    stored = registry.get_version(NAME, 1).metrics["m"]
    assert (stored, type(stored)) == (value, float)


def test_a_thousand_metrics_are_logged_together(registry: ModelRegistry) -> None:
    values = {f"metric {n}": n / 7 for n in range(1_000)}
    registry.register_model(NAME)
    registry.log_metrics(NAME, 1, values)
    metrics = registry.get_version(NAME, 1).measurements
    assert {name: metric.value for name, metric in metrics.items()} == values


def test_versions_are_compared_metric_by_metric(registry: ModelRegistry) -> None:
    registry.register_model(NAME, metrics={"accuracy": 0.8, "loss": 0.5, "old": 1.0})
    registry.register_model(NAME, metrics={"accuracy": 0.9, "loss": 0.4, "new": 1.0})
    comparison = registry.compare_versions(NAME, 1, 2)
    assert (comparison.version_a, comparison.version_b) == (f"{NAME} v1", f"{NAME} v2")
    assert comparison.metric_diffs["accuracy"].percent_change == pytest.approx(12.5)
    assert comparison.metric_diffs["loss"].difference == pytest.approx(-0.1)
    assert {n: d.outcome for n, d in comparison.metric_diffs.items()} == {
        "accuracy": DiffOutcome.BETTER,
        "loss": DiffOutcome.BETTER,
        "old": DiffOutcome.ONLY_A,
        "new": DiffOutcome.ONLY_B,
    }
    assert list(comparison.metric_diffs) == ["accuracy", "loss", "new", "old"]
    assert comparison.b_is_better
    back = registry.compare_versions(NAME, 2, 1)
    assert not back.b_is_better
    assert back.metric_diffs["accuracy"].outcome is DiffOutcome.WORSE


def test_values_on_different_datasets_are_not_compared(registry: ModelRegistry) -> None:
    for dataset, value in (("2025", 0.8), ("2026", 0.9), ("", 0.9)):
        metric = Metric("accuracy", value, dataset=dataset)
        registry.register_model(NAME, metrics={"accuracy": metric})
    apart = registry.compare_versions(NAME, 1, 2)
    assert apart.metric_diffs["accuracy"].outcome is DiffOutcome.NOT_COMPARABLE
    assert not apart.b_is_better
    unnamed = registry.compare_versions(NAME, 1, 3)
    assert unnamed.metric_diffs["accuracy"].outcome is DiffOutcome.BETTER


def test_a_version_is_equal_to_itself_and_one_without_metrics_compares_to_nothing(
    registry: ModelRegistry,
) -> None:
    registry.register_model(NAME, metrics={"accuracy": 0.8})
    registry.register_model(NAME)
    same = registry.compare_versions(NAME, 1, 1)
    assert same.metric_diffs["accuracy"].outcome is DiffOutcome.EQUAL
    assert not same.b_is_better
    assert dict(registry.compare_versions(NAME, 2, 2).metric_diffs) == {}


# Labels and texts


def test_tags_are_set_replaced_and_removed(registry: ModelRegistry) -> None:
    registry.register_model(NAME)
    registry.set_tag(NAME, "team", "nlp", 1)
    registry.set_tag(NAME, "team", "vision", 1)
    registry.set_tag(NAME, "empty", "", 1)
    version = registry.get_version(NAME, 1)
    assert (dict(version.tags), version.revision) == ({"team": "vision", "empty": ""}, 4)
    with unchanged(registry):
        registry.set_tag(NAME, "team", "vision", 1)
    registry.delete_tag(NAME, "team", 1)
    version = registry.get_version(NAME, 1)
    assert (dict(version.tags), version.revision) == ({"empty": ""}, 5)
    with pytest.raises(NotFound):
        registry.delete_tag(NAME, "team", 1)


def test_the_tags_of_a_model_and_of_its_versions_are_separate(registry: ModelRegistry) -> None:
    registry.register_model(NAME)
    registry.register_model(NAME, tags={"team": "nlp"})
    with unchanged(registry):
        registry.set_tag(NAME, "team", "of the model")
    with pytest.raises(NotFound):
        registry.delete_tag(NAME, "team", 1)
    with unchanged(registry):
        registry.delete_tag(NAME, "team")
    with pytest.raises(NotFound):
        registry.delete_tag(NAME, "team")
    assert dict(registry.get_version(NAME, 2).tags) == {"team": "nlp"}


def test_a_tag_may_hold_a_long_text_of_any_characters(registry: ModelRegistry) -> None:
    registry.register_model(NAME)
    text = "名\n\t" * 33_333
    registry.set_tag(NAME, "x" * 250, text, 1)
    assert dict(registry.get_version(NAME, 1).tags) == {"x" * 250: text}


def test_an_alias_points_at_one_version_and_moves(registry: ModelRegistry) -> None:
    registry.register_model(NAME)
    registry.register_model(NAME)
    registry.set_alias(NAME, "best", 1)
    registry.set_alias(NAME, "best", 2)
    registry.set_alias(NAME, "blue-green_2", 2)
    assert registry.get_version(NAME, 1).aliases == ()
    assert registry.get_version(NAME, 2).aliases == ("best", "blue-green_2")
    with unchanged(registry):
        registry.set_alias(NAME, "best", 2)
    registry.delete_alias(NAME, "best")
    assert registry.get_version(NAME, 2).aliases == ("blue-green_2",)


def test_each_model_has_separate_aliases(registry: ModelRegistry) -> None:
    registry.register_model(NAME)
    registry.register_model("other")
    registry.set_alias(NAME, "best", 1)
    with pytest.raises(NotFound):
        registry.delete_alias("other", "best")
    registry.set_alias("other", "best", 1)
    assert registry.get_version(NAME, 1).aliases == ("best",)


def test_an_alias_stays_with_its_version_when_that_moves(registry: ModelRegistry) -> None:
    registry.register_model(NAME)
    registry.set_alias(NAME, "best", 1)
    promote(registry, 1)
    registry.transition_stage(NAME, 1, ARCHIVED)
    assert registry.get_version(NAME, 1).aliases == ("best",)


def test_an_alias_is_removed_with_its_version_and_can_be_reused(
    registry: ModelRegistry,
) -> None:
    for _ in range(2):
        registry.register_model(NAME)
    registry.set_alias(NAME, "best", 2)
    registry.delete_version(NAME, 2)
    with pytest.raises(NotFound):
        registry.delete_alias(NAME, "best")
    registry.set_alias(NAME, "best", 1)
    assert registry.get_version(NAME, 1).aliases == ("best",)


def test_a_description_is_set_and_replaced(registry: ModelRegistry) -> None:
    registry.register_model(NAME, description="First.")
    registry.set_description(NAME, "# Second\n\nWith *lines*.\n", 1)
    version = registry.get_version(NAME, 1)
    assert (version.description, version.revision) == ("# Second\n\nWith *lines*.\n", 2)
    with unchanged(registry):
        registry.set_description(NAME, "# Second\n\nWith *lines*.\n", 1)
        registry.set_description(NAME, "The model.")
    registry.set_description(NAME, "", 1)
    assert registry.get_version(NAME, 1).description == ""


def test_a_change_of_one_version_leaves_the_others_at_their_revision(
    registry: ModelRegistry,
) -> None:
    for _ in range(2):
        registry.register_model(NAME)
    other = registry.get_version(NAME, 2)
    registry.log_metrics(NAME, 1, {"accuracy": 0.5})
    registry.set_tag(NAME, "k", "v", 1)
    registry.set_description(NAME, "Text.", 1)
    registry.transition_stage(NAME, 1, STAGING)
    assert registry.get_version(NAME, 1).revision == 5
    assert registry.get_version(NAME, 2) == other


# Renaming


def test_a_renamed_model_keeps_its_content(registry: ModelRegistry) -> None:
    registry.set_policy(floor(PROD, 0.1))
    for _ in range(2):
        registry.register_model(NAME, metrics={"accuracy": 0.9}, tags={"k": "v"})
    registry.set_policy(floor(PROD, 0.5), NAME)
    registry.set_alias(NAME, "best", 1)
    promote(registry, 1, reason="Good.")
    before = registry.get_version(NAME, 1)
    moves = list(registry.get_transitions(NAME))
    registry.rename_model(NAME, "new name")
    after = registry.get_version("new name", 1)
    assert after.model == "new name"
    assert (after.revision, after.stage) == (before.revision, PROD)
    assert after.aliases == ("best", "champion")
    assert (after.metrics, dict(after.tags)) == (before.metrics, {"k": "v"})
    renamed = registry.get_transitions("new name")
    assert {move.model for move in renamed} == {"new name"}
    assert [(m.version, m.to_stage, m.operation_id, m.reason) for m in renamed] == [
        (m.version, m.to_stage, m.operation_id, m.reason) for m in moves
    ]
    assert registry.get_policy(PROD, "new name") == floor(PROD, 0.5)
    assert registry.check_promotion_policy("new name", 2, floor(PROD)).outcomes[0].baseline == 0.9
    assert registry.register_model("new name").version == 3


def test_a_renamed_model_frees_its_old_name(registry: ModelRegistry) -> None:
    registry.register_model(NAME)
    registry.rename_model(NAME, "new name")
    with pytest.raises(NotFound):
        registry.get_version(NAME, 1)
    assert registry.register_model(NAME).version == 1
    with unchanged(registry, NAME, "new name"), pytest.raises(AlreadyExists) as error:
        registry.rename_model(NAME, "new name")
    assert error.value.field == "name"


def test_a_model_renamed_to_its_own_name_stays_as_it_is(registry: ModelRegistry) -> None:
    registry.register_model("résumé")
    with unchanged(registry, "résumé"):
        registry.rename_model("résumé", "résumé")
        registry.rename_model("résumé", "re\u0301sume\u0301")


def test_a_model_can_be_renamed_to_the_name_of_a_deleted_one(registry: ModelRegistry) -> None:
    registry.register_model(NAME, 4)
    registry.register_model("other")
    registry.delete_model("other")
    registry.rename_model(NAME, "other")
    assert numbers_of(registry.list_versions("other")) == [4]


# Deleting


def test_a_deleted_version_is_not_found_and_the_others_remain(registry: ModelRegistry) -> None:
    registry.register_model(NAME)
    registry.register_model(NAME)
    registry.delete_version(NAME, 1)
    assert numbers_of(registry.list_versions(NAME)) == [2]
    assert numbers_of(registry.get_by_stage(DEV, NAME)) == [2]
    assert {move.version for move in registry.get_transitions(NAME)} == {2}


def test_a_reused_model_name_numbers_its_versions_from_1(registry: ModelRegistry) -> None:
    for _ in range(3):
        registry.register_model(NAME, label=f"label {_}", metrics={"accuracy": 0.9})
    promote(registry, 1)
    registry.set_policy(floor(STAGING), NAME)
    registry.set_alias(NAME, "best", 1)
    registry.set_tag(NAME, "k", "v")
    registry.delete_model(NAME)
    with pytest.raises(NotFound):
        registry.get_version(NAME, 1)
    made = registry.register_model(NAME, label="label 0")
    assert (made.version, made.revision, made.aliases, dict(made.metrics)) == (1, 1, (), {})
    assert len(registry.get_transitions(NAME)) == 1
    assert registry.get_policy(STAGING, NAME) is None
    assert registry.check_promotion_policy(NAME, 1, floor(PROD)).outcomes[0].baseline is None
    for gone in (
        lambda: registry.delete_alias(NAME, "best"),
        lambda: registry.delete_tag(NAME, "k"),
    ):
        with pytest.raises(NotFound):
            gone()


def test_deleting_one_model_leaves_the_others(registry: ModelRegistry) -> None:
    registry.register_model(NAME)
    registry.register_model("other")
    with unchanged(registry, "other"):
        registry.delete_model(NAME)


def test_removing_a_model_policy_restores_the_default_policy(registry: ModelRegistry) -> None:
    registry.register_model(NAME)
    registry.set_policy(floor(PROD, 0.1))
    assert registry.set_policy(floor(PROD, 0.5), NAME) == 1
    registry.remove_policy(PROD, NAME, reason="Too strict.")
    assert registry.get_policy(PROD, NAME) == floor(PROD, 0.1)
    assert registry.set_policy(floor(PROD, 0.5), NAME) == 2
    registry.remove_policy(PROD)
    registry.remove_policy(PROD, NAME)
    assert registry.get_policy(PROD, NAME) is None
    assert registry.set_policy(floor(PROD, 0.1)) == 2


def test_a_policy_that_is_not_in_force_cannot_be_removed(registry: ModelRegistry) -> None:
    registry.register_model(NAME)
    registry.set_policy(floor(PROD, 0.1))
    for stage, name in ((STAGING, None), (PROD, NAME), (PROD, "none")):
        with unchanged(registry), pytest.raises(NotFound):
            registry.remove_policy(stage, name)
    registry.remove_policy(PROD)
    with unchanged(registry), pytest.raises(NotFound):
        registry.remove_policy(PROD)
