"""Governed aliases, which every registry must treat alike."""

from __future__ import annotations

import pytest

from boards.registry.database import DatabaseRegistry
from obeya import InvalidInput, ModelRegistry, NotFound, Stage
from obeya.aliases.governed import CHAMPION, AliasMode, AliasSource, GovernedAlias
from obeya.refusals import AliasRefused
from obeya.stages import OPEN, RETURNS, Workflow
from tests.differing_rows import differing_rows
from tests.registry.conformance import ARCHIVED, NAME, PROD, STAGING, promote, unchanged

STABLE = GovernedAlias("stable", PROD, AliasMode.GUARDED)
CHALLENGER = GovernedAlias("challenger", STAGING)


@pytest.fixture
def registry(any_registry: ModelRegistry) -> ModelRegistry:
    """Four versions in Development."""
    for _ in range(4):
        any_registry.register_model(NAME)
    return any_registry


def aliases(registry: ModelRegistry) -> dict[str, int]:
    return {alias: v.version for v in registry.list_versions(NAME) for alias in v.aliases}


def test_champion_follows_the_versions_into_production_and_out_of_it(
    registry: ModelRegistry,
) -> None:
    registry.transition_stage(NAME, 1, STAGING)
    assert aliases(registry) == {}
    registry.transition_stage(NAME, 1, PROD)
    assert aliases(registry) == {"champion": 1}
    promote(registry, 2)
    assert aliases(registry) == {"champion": 2}
    promote(registry, 3, archive_existing=True)
    assert aliases(registry) == {"champion": 3}
    registry.transition_stage(NAME, 3, ARCHIVED)
    assert aliases(registry) == {}


def test_when_the_champion_leaves_the_one_that_entered_before_it_becomes_champion(
    registry: ModelRegistry,
) -> None:
    for version in (2, 1, 3):
        promote(registry, version)
    registry.transition_stage(NAME, 2, ARCHIVED)
    assert aliases(registry) == {"champion": 3}
    registry.transition_stage(NAME, 3, ARCHIVED)
    assert aliases(registry) == {"champion": 1}


def test_a_rollback_sets_it_and_counts_as_an_entry(registry: ModelRegistry) -> None:
    promote(registry, 1)
    promote(registry, 2, archive_existing=True)
    registry.rollback(NAME, reason="Worse")
    assert aliases(registry) == {"champion": 1}
    promote(registry, 3)
    promote(registry, 4)
    for version, champion in ((4, 3), (3, 1)):
        registry.transition_stage(NAME, version, ARCHIVED)
        assert aliases(registry) == {"champion": champion}


def test_a_deleted_champion_is_replaced(registry: ModelRegistry) -> None:
    promote(registry, 1)
    promote(registry, 2)
    registry.delete_version(NAME, 2)
    assert aliases(registry) == {"champion": 1}
    registry.delete_version(NAME, 1)
    assert aliases(registry) == {}


def test_it_cannot_be_set_elsewhere_nor_deleted(registry: ModelRegistry) -> None:
    promote(registry, 1)
    promote(registry, 2)
    registry.transition_stage(NAME, 3, STAGING)
    for alias in ("champion", "Champion", "CHAMPION", "\u0441hampion"):
        for version in (1, 3, 4):
            with unchanged(registry), pytest.raises(AliasRefused) as refused:
                registry.set_alias(NAME, alias, version)
            assert (refused.value.alias, refused.value.stage) == ("champion", PROD)
    assert "Move v4 from Development to Staging, then to Production." in str(refused.value)
    with unchanged(registry), pytest.raises(AliasRefused, match="cannot be deleted"):
        registry.delete_alias(NAME, "champion")


def test_setting_it_to_where_it_points_does_nothing(registry: ModelRegistry) -> None:
    promote(registry, 1)
    with unchanged(registry):
        registry.set_alias(NAME, "champion", 1)


def test_other_aliases_stay_free(registry: ModelRegistry) -> None:
    registry.set_alias(NAME, "best", 4)
    promote(registry, 1)
    registry.set_alias(NAME, "champion-eu", 3)
    assert aliases(registry) == {"best": 4, "champion": 1, "champion-eu": 3}
    registry.delete_alias(NAME, "best")


@pytest.mark.parametrize("workflow", [RETURNS])
def test_a_version_that_is_sent_back_gives_it_up(
    registry: ModelRegistry, workflow: Workflow
) -> None:
    promote(registry, 1)
    registry.transition_stage(NAME, 1, STAGING)
    assert aliases(registry) == {}


@pytest.mark.parametrize("workflow", [OPEN])
def test_in_the_open_workflow_nothing_is_governed_until_configured(
    registry: ModelRegistry, workflow: Workflow
) -> None:
    assert registry.get_governed_aliases(NAME) == []
    registry.set_alias(NAME, "champion", 4)
    registry.transition_stage(NAME, 1, PROD)
    assert aliases(registry) == {"champion": 4}
    registry.set_governed_alias(GovernedAlias("champion"))
    assert aliases(registry) == {"champion": 4}
    with pytest.raises(AliasRefused):
        registry.set_alias(NAME, "champion", 3)
    registry.set_alias(NAME, "champion", 1)
    assert aliases(registry) == {"champion": 1}


@pytest.mark.filterwarnings("ignore::obeya.look_alikes.new_names.SimilarNameWarning")
@pytest.mark.parametrize("workflow", [OPEN])
def test_an_alias_from_before_can_be_corrected_or_deleted(
    registry: ModelRegistry, workflow: Workflow
) -> None:
    for alias in ("champion", "Champion"):
        registry.set_alias(NAME, alias, 4, allow_similar=True)
    registry.set_governed_alias(GovernedAlias("champion"), NAME)
    registry.delete_alias(NAME, "Champion")
    registry.set_alias(NAME, "champion", 4)
    assert aliases(registry) == {"champion": 4}
    # Moves beside its stage do not touch it; the next one into the stage does.
    registry.transition_stage(NAME, 2, STAGING)
    assert aliases(registry) == {"champion": 4}
    registry.transition_stage(NAME, 2, PROD)
    assert aliases(registry) == {"champion": 2}


@pytest.mark.parametrize("workflow", [OPEN])
def test_a_look_alike_from_before_follows_too(registry: ModelRegistry, workflow: Workflow) -> None:
    registry.set_alias(NAME, "Champion", 4)
    registry.set_governed_alias(GovernedAlias("champion"), NAME)
    registry.transition_stage(NAME, 2, PROD)
    assert aliases(registry) == {"Champion": 2, "champion": 2}
    registry.transition_stage(NAME, 2, ARCHIVED)
    assert aliases(registry) == {}


def test_a_guarded_alias_is_set_by_hand_and_removed_when_its_version_leaves(
    registry: ModelRegistry,
) -> None:
    registry.set_governed_alias(STABLE, NAME)
    promote(registry, 1)
    promote(registry, 2)
    assert aliases(registry) == {"champion": 2}
    registry.set_alias(NAME, "stable", 1)
    with pytest.raises(AliasRefused, match="is bound to Production"):
        registry.set_alias(NAME, "stable", 3)
    with pytest.raises(AliasRefused, match="cannot be deleted"):
        registry.delete_alias(NAME, "stable")
    registry.set_alias(NAME, "stable", 2)
    registry.transition_stage(NAME, 1, ARCHIVED)
    assert aliases(registry) == {"champion": 2, "stable": 2}
    promote(registry, 3, archive_existing=True)
    assert aliases(registry) == {"champion": 3}


def test_an_alias_can_follow_staging(registry: ModelRegistry) -> None:
    registry.set_governed_alias(CHALLENGER)
    registry.transition_stage(NAME, 1, STAGING)
    registry.transition_stage(NAME, 2, STAGING)
    assert aliases(registry) == {"challenger": 2}
    registry.transition_stage(NAME, 2, PROD)
    assert aliases(registry) == {"challenger": 1, "champion": 2}
    registry.transition_stage(NAME, 1, ARCHIVED)
    assert aliases(registry) == {"champion": 2}


def test_the_configuration_of_a_model_replaces_the_default(registry: ModelRegistry) -> None:
    registry.set_governed_alias(GovernedAlias("champion", mode=AliasMode.FREE), NAME)
    registry.set_alias(NAME, "champion", 4)
    registry.remove_governed_alias("champion", NAME)
    registry.set_governed_alias(CHALLENGER)
    registry.set_governed_alias(STABLE, NAME)
    found = [(each, each.source) for each in registry.get_governed_aliases(NAME)]
    assert found == [
        (CHALLENGER, AliasSource.REGISTRY),
        (CHAMPION, AliasSource.WORKFLOW),
        (STABLE, AliasSource.MODEL),
    ]
    default = [(each, each.source) for each in registry.get_governed_aliases()]
    assert default == found[:2]


def test_look_alikes_have_one_configuration(registry: ModelRegistry) -> None:
    registry.set_governed_alias(GovernedAlias("stable"), NAME)
    registry.set_governed_alias(GovernedAlias("Stable", STAGING), NAME)
    assert [each.alias for each in registry.get_governed_aliases(NAME)] == ["Stable", "champion"]
    registry.remove_governed_alias("STABLE", NAME)
    assert registry.get_governed_aliases(NAME) == [CHAMPION]
    # The small letter nu looks like v, and as a capital like N.
    for alias in ("next", "vext", "\u03bdext"):
        registry.set_governed_alias(GovernedAlias(alias), NAME)
    found = [each.alias for each in registry.get_governed_aliases(NAME)]
    assert found == ["champion", "\u03bdext"]
    registry.set_governed_alias(GovernedAlias("vext"), NAME)
    assert [each.alias for each in registry.get_governed_aliases(NAME)] == ["champion", "vext"]
    if isinstance(registry, DatabaseRegistry):
        assert differing_rows() == []


def test_what_is_not_configured_cannot_be_removed(registry: ModelRegistry) -> None:
    for name in (None, NAME):
        for alias in ("champion", "", "x" * 10_000, "a b"):
            with pytest.raises(NotFound) as refused:
                registry.remove_governed_alias(alias, name)
            assert refused.value.what == "governed_alias"
    for act in (
        lambda: registry.set_governed_alias(STABLE, "nobody"),
        lambda: registry.remove_governed_alias("stable", "nobody"),
        lambda: registry.get_governed_aliases("nobody"),
    ):
        with pytest.raises(NotFound) as missing:
            act()
        assert missing.value.what == "model"


def test_an_alias_cannot_be_bound_to_a_stage_without_policies(registry: ModelRegistry) -> None:
    with pytest.raises(InvalidInput):
        registry.set_governed_alias(GovernedAlias("best", Stage.ARCHIVED))
