"""Governed aliases: which names are governed, what they can point to, what a move does to them."""

from __future__ import annotations

from typing import Any

import pytest

from obeya.aliases.governed import (
    CHAMPION,
    AliasMode,
    AliasSource,
    GovernedAlias,
    GovernedAliases,
    alias_keys,
)
from obeya.aliases.rules import AliasFacts, aliases_after_move, check_delete, check_set
from obeya.errors import InvalidInput
from obeya.refusals import AliasRefused
from obeya.stages import OPEN, RETURNS, STRICT, Stage, Workflow

DEV, STAGING, PROD, ARCHIVED = Stage
STABLE = GovernedAlias("stable", PROD, AliasMode.GUARDED)


@pytest.mark.parametrize(
    "alias",
    [
        "champion",
        "Champion",
        "CHAMPION",
        "champi\u00f6n",
        "\uff43hampion",  # full width
        "\u0441hampion",  # Cyrillic
        "CH\u0410\u041cPI\u041eN",  # Cyrillic capitals
        "champi\u03bfn",  # Greek
        "champ\u0131on",  # without its dot
        "\u03f2hampion",  # Greek, and another letter when it is normalized
        "\u03f9HAMPION",
        "\u04aaHAMPION",  # Cyrillic with a mark
        "\U0001d41champion",  # mathematical
        "champio\u043f",  # Cyrillic
        "champion\u3164",  # with a character that cannot be seen
        "cham\u0440i\u00f3\u200bn",
    ],
)
def test_names_that_look_like_a_governed_one_count_as_it(alias: str) -> None:
    assert GovernedAliases(STRICT).of(alias) == CHAMPION


def test_an_alias_of_a_letter_with_two_looks_is_covered_by_both() -> None:
    governed = GovernedAlias("\u03bdext")
    found = GovernedAliases(STRICT, [governed])
    for alias in ("next", "vext", "\u039dEXT", "\u03bdext"):
        assert governed.covers(alias)
        assert found.of(alias) == governed
    assert found.of("text") is None


@pytest.mark.parametrize("alias", ["champion-eu", "champion2", "best", "challenger", "champ"])
def test_other_names_are_free(alias: str) -> None:
    assert GovernedAliases(STRICT).of(alias) is None
    assert alias_keys(alias) == (alias,)


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"alias": "v1"}, "alias"),
        ({"alias": ""}, "alias"),
        ({"stage": "nowhere"}, "stage"),
        ({"stage": DEV}, "stage"),
        ({"stage": ARCHIVED}, "stage"),
        ({"stage": None}, "stage"),
        ({"mode": "strict"}, "mode"),
    ],
)
def test_an_invalid_configuration_is_refused(more: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        GovernedAlias(**{"alias": "best", **more})
    assert refused.value.field == field


def test_a_free_name_has_no_stage() -> None:
    assert GovernedAlias("champion", PROD, AliasMode.FREE).stage is None


@pytest.mark.parametrize(("workflow", "is_governed"), [(STRICT, 1), (RETURNS, 1), (OPEN, 0)])
def test_champion_follows_production_unless_the_workflow_is_open(
    workflow: Workflow, is_governed: bool
) -> None:
    found = GovernedAliases(workflow)
    assert found.configured == ([CHAMPION] if is_governed else [])
    assert found.bound_to([PROD]) == found.configured
    assert found.bound_to([DEV, STAGING, ARCHIVED]) == []


def test_the_model_has_priority_over_the_registry_and_both_over_the_workflow() -> None:
    registry = [GovernedAlias("Champion", STAGING), STABLE]
    model = [GovernedAlias("champion", mode=AliasMode.FREE)]
    assert GovernedAliases(STRICT, registry).of("champion") == registry[0]
    assert GovernedAliases(OPEN, registry).of("champion") == registry[0]
    found = GovernedAliases(STRICT, registry, model)
    assert found.of("champion") is None
    assert [(each.alias, each.source) for each in found.configured] == [
        ("champion", AliasSource.MODEL),
        ("stable", AliasSource.REGISTRY),
    ]


def facts(
    version: int,
    stage: Stage,
    last: int | None,
    governed: GovernedAlias = CHAMPION,
    alias: str = "",
) -> AliasFacts:
    return AliasFacts(
        governed=governed,
        alias=alias or governed.alias,
        model="churn",
        version=version,
        stage=stage,
        last_entered=last,
    )


@pytest.mark.parametrize(
    ("version", "stage", "workflow", "transition"),
    [
        (3, STAGING, STRICT, "Move v3 from Staging to Production."),
        (3, DEV, STRICT, "Move v3 from Development to Staging, then to Production."),
        (3, DEV, OPEN, "Move v3 from Development to Production."),
        (3, ARCHIVED, RETURNS, "Archived to Development, then to Staging, then to Production."),
        (3, ARCHIVED, STRICT, "If it was there before, roll back to it."),
        (2, PROD, STRICT, "It points to v5, which entered last. To change that, roll back to v2."),
    ],
)
def test_a_refusal_says_which_transition_to_make(
    version: int, stage: Stage, workflow: Workflow, transition: str
) -> None:
    with pytest.raises(AliasRefused) as refused:
        check_set(facts(version, stage, 5), workflow)
    said = str(refused.value)
    assert said.startswith("The alias “champion” of churn follows Production: only a transition")
    assert transition in said
    assert (refused.value.alias, refused.value.stage) == ("champion", PROD)
    assert (refused.value.http_status, refused.value.exit_status) == (422, 1)


def test_a_guarded_alias_can_point_to_any_version_in_its_stage_only() -> None:
    check_set(facts(2, PROD, 5, STABLE), STRICT)
    with pytest.raises(AliasRefused, match="is bound to Production") as refused:
        check_set(facts(2, STAGING, 5, STABLE), STRICT)
    assert "Move v2 from Staging to Production." in str(refused.value)


def test_a_version_that_cannot_come_to_staging_again() -> None:
    challenger = GovernedAlias("challenger", STAGING)
    with pytest.raises(AliasRefused, match="Register a new version"):
        check_set(facts(2, PROD, None, challenger), STRICT)


def test_a_look_alike_is_not_created_beside_the_governed_name() -> None:
    with pytest.raises(AliasRefused, match="Use “champion”"):
        check_set(facts(5, PROD, 5, alias="Champion"), STRICT)


def test_only_an_alias_that_breaks_the_rule_can_be_deleted() -> None:
    for right in (facts(5, PROD, 5), facts(2, PROD, 5, STABLE)):
        with pytest.raises(AliasRefused, match="cannot be deleted"):
            check_delete(right)
    for wrong in (facts(2, STAGING, None), facts(2, PROD, 5), facts(2, ARCHIVED, 5, STABLE)):
        check_delete(wrong)


@pytest.mark.parametrize(
    ("found", "violation", "remedy"),
    [
        (facts(5, PROD, 5), "", "Set it to v5."),
        (
            facts(2, STAGING, None),
            "“champion” points to v2, which is in Staging, not in Production.",
            "Move v2 to Production, or delete the alias.",
        ),
        (
            facts(2, PROD, 5),
            "“champion” points to v2, but v5 entered Production last.",
            "Set it to v5.",
        ),
        (
            facts(2, STAGING, 5, STABLE),
            "“stable” points to v2, which is in Staging, not in Production.",
            "Set it to a version in Production, or delete it.",
        ),
    ],
)
def test_a_violation_is_described_with_its_remedy(
    found: AliasFacts, violation: str, remedy: str
) -> None:
    assert (found.violation, found.remedy) == (violation, remedy)


@pytest.mark.parametrize(
    ("governed", "aliases", "last", "departed", "changes"),
    [
        (CHAMPION, {}, 5, [], {"champion": 5}),
        (CHAMPION, {"champion": 5}, 5, [4], {}),
        (CHAMPION, {"champion": 4, "best": 4}, 5, [4], {"champion": 5}),
        (CHAMPION, {"champion": 4}, None, [4], {"champion": None}),
        (CHAMPION, {}, None, [4], {}),
        (CHAMPION, {"Champion": 4}, 5, [4], {"Champion": 5, "champion": 5}),
        (STABLE, {"stable": 4}, 5, [], {}),
        (STABLE, {"stable": 4}, 5, [4], {"stable": None}),
        (STABLE, {}, 5, [4], {}),
    ],
)
def test_what_a_move_changes(
    governed: GovernedAlias,
    aliases: dict[str, int],
    last: int | None,
    departed: list[int],
    changes: dict[str, int | None],
) -> None:
    assert aliases_after_move(governed, aliases, last_entered=last, departed=departed) == changes
