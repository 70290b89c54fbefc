"""Stages and workflows: the whole table of each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obeya.errors import InvalidInput
from obeya.stages import OPEN, RETURNS, STRICT, WORKFLOWS, Stage, is_promotion, workflow_named

DEV, STAGING, PROD, ARCHIVED = Stage
LEGAL = {
    "strict": {(DEV, STAGING), (DEV, ARCHIVED), (STAGING, PROD), (STAGING, ARCHIVED)}
    | {(PROD, ARCHIVED)},
}
LEGAL["returns"] = LEGAL["strict"] | {(STAGING, DEV), (PROD, STAGING), (ARCHIVED, DEV)}
LEGAL["open"] = {(a, b) for a in Stage for b in Stage if a is not b}

stages = st.sampled_from(list(Stage))
workflows = st.sampled_from(list(WORKFLOWS.values()))


@pytest.mark.parametrize("name", LEGAL)
@pytest.mark.parametrize("from_stage", Stage)
@pytest.mark.parametrize("to_stage", Stage)
def test_a_workflow_allows_exactly_its_table(name: str, from_stage: Stage, to_stage: Stage) -> None:
    allowed = WORKFLOWS[name].check(from_stage, to_stage) is None
    assert allowed == ((from_stage, to_stage) in LEGAL[name])


@given(workflows, stages, stages)
def test_a_refusal_names_both_stages_and_what_is_allowed_from_here(
    workflow: object, from_stage: Stage, to_stage: Stage
) -> None:
    refusal = workflow.check(from_stage, to_stage)  # type: ignore[attr-defined]
    if refusal is None:
        return
    if from_stage is to_stage:
        assert refusal.code == "already_there"
        assert to_stage.label in refusal.sentence
        return
    assert from_stage.label in refusal.sentence
    assert to_stage.label in refusal.sentence
    for allowed in workflow.allowed_from(from_stage):  # type: ignore[attr-defined]
        assert allowed.label in refusal.sentence


@pytest.mark.parametrize(
    ("from_stage", "to_stage", "says"),
    [
        (DEV, PROD, "it skips Staging"),
        (STAGING, DEV, "it moves backwards"),
        (PROD, STAGING, "it moves backwards"),
        (ARCHIVED, DEV, "an archived version stays archived"),
    ],
)
def test_a_refusal_says_why(from_stage: Stage, to_stage: Stage, says: str) -> None:
    refusal = STRICT.check(from_stage, to_stage)
    assert refusal is not None
    assert says in refusal.sentence


def test_what_is_allowed_is_listed_in_the_order_of_the_board() -> None:
    assert STRICT.allowed_from(STAGING) == (PROD, ARCHIVED)
    assert RETURNS.allowed_from(STAGING) == (DEV, PROD, ARCHIVED)
    assert OPEN.allowed_from(PROD) == (DEV, STAGING, ARCHIVED)
    assert STRICT.allowed_from(ARCHIVED) == ()


@pytest.mark.parametrize(
    ("from_stage", "to_stage"),
    [(DEV, STAGING), (DEV, PROD), (STAGING, PROD), (ARCHIVED, STAGING), (ARCHIVED, PROD)],
)
def test_entering_a_gated_stage_from_before_or_from_the_archive_is_a_promotion(
    from_stage: Stage, to_stage: Stage
) -> None:
    assert is_promotion(from_stage, to_stage)


@pytest.mark.parametrize(
    ("from_stage", "to_stage"),
    [(PROD, STAGING), (PROD, ARCHIVED), (STAGING, DEV), (ARCHIVED, DEV), (PROD, PROD)],
)
def test_demoting_and_archiving_are_no_promotions(from_stage: Stage, to_stage: Stage) -> None:
    assert not is_promotion(from_stage, to_stage)


@pytest.mark.parametrize("text", ["staging", "Staging", " STAGING ", Stage.STAGING])
def test_a_stage_is_read_in_any_case(text: str) -> None:
    assert Stage.parse(text) is Stage.STAGING


@pytest.mark.parametrize("text", ["", "none", "stage", "x" * 10_000])
def test_an_unknown_stage_is_refused_with_those_that_exist(text: str) -> None:
    with pytest.raises(InvalidInput, match="Development, Staging, Production, Archived") as error:
        Stage.parse(text)
    assert len(str(error.value)) < 200


def test_the_next_stage_leads_to_production_and_ends_there() -> None:
    assert [stage.next for stage in Stage] == [STAGING, PROD, None, None]


def test_an_unknown_workflow_is_refused_with_those_that_exist() -> None:
    with pytest.raises(InvalidInput, match="strict, returns, open"):
        workflow_named("loose")
