"""Stages and workflows: the complete transition table of each workflow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obeya.errors import InvalidInput, Refusal, RefusalKind
from obeya.stages import (
    OPEN,
    RETURNS,
    STRICT,
    WORKFLOWS,
    Stage,
    Workflow,
    is_promotion,
    workflow_named,
)

DEV, STAGING, PROD, ARCHIVED = Stage

# Whether the workflow allows the move from the row's stage to the column's stage.
TABLES = {
    "strict": """
                    development staging production archived
        development -           yes     no         yes
        staging     no          -       yes        yes
        production  no          no      -          yes
        archived    no          no      no         -
    """,
    "returns": """
                    development staging production archived
        development -           yes     no         yes
        staging     yes         -       yes        yes
        production  no          yes     -          yes
        archived    yes         no      no         -
    """,
    "open": """
                    development staging production archived
        development -           yes     yes        yes
        staging     yes         -       yes        yes
        production  yes         yes     -          yes
        archived    yes         yes     yes        -
    """,
}


def cells(table: str) -> dict[tuple[Stage, Stage], str]:
    head, *rows = (line.split() for line in table.strip().splitlines())
    return {
        (Stage(name), Stage(column)): cell
        for name, *row in rows
        for column, cell in zip(head, row, strict=True)
    }


CELLS = [
    (name, *move, cell) for name, table in TABLES.items() for move, cell in cells(table).items()
]
stages = st.sampled_from(list(Stage))
workflows = st.sampled_from(list(WORKFLOWS.values()))
# Any possible workflow, whether or not it makes sense.
any_workflow = st.fixed_dictionaries(
    {stage: st.sets(st.sampled_from([s for s in Stage if s is not stage])) for stage in Stage}
).map(
    lambda moves: Workflow(
        "any", "Any", {a: tuple(s for s in Stage if s in moves[a]) for a in moves}
    )
)


def refusal(workflow: Workflow, from_stage: Stage, to_stage: Stage) -> Refusal:
    refused = workflow.check(from_stage, to_stage)
    assert refused is not None
    assert refused.kind is RefusalKind.WORKFLOW
    return refused


@pytest.mark.parametrize(("name", "from_stage", "to_stage", "cell"), CELLS)
def test_a_workflow_allows_exactly_its_table(
    name: str, from_stage: Stage, to_stage: Stage, cell: str
) -> None:
    workflow = WORKFLOWS[name]
    if cell == "yes":
        assert workflow.check(from_stage, to_stage) is None
        assert to_stage in workflow.allowed_from(from_stage)
    else:
        code = "already_there" if cell == "-" else "illegal_move"
        assert refusal(workflow, from_stage, to_stage).code == code
        assert to_stage not in workflow.allowed_from(from_stage)


def test_there_are_three_workflows_with_complete_tables() -> None:
    assert list(WORKFLOWS) == list(TABLES)
    assert len(CELLS) == 3 * 4 * 4


@pytest.mark.parametrize(
    ("workflow", "from_stage", "to_stage", "why", "instead"),
    [
        (STRICT, DEV, PROD, "it skips Staging", "Development: Staging, Archived"),
        (STRICT, STAGING, DEV, "it moves backwards", "Staging: Production, Archived"),
        (STRICT, PROD, STAGING, "it moves backwards", "Production: Archived"),
        (STRICT, PROD, DEV, "it moves backwards", "Production: Archived"),
        (RETURNS, DEV, PROD, "it skips Staging", "Development: Staging, Archived"),
        (RETURNS, PROD, DEV, "it skips Staging", "Production: Staging, Archived"),
        (
            RETURNS,
            ARCHIVED,
            PROD,
            "an archived version must be restored to Development first",
            "Archived: Development",
        ),
    ],
)
def test_a_refusal_names_both_stages_the_reason_and_allowed_moves(
    workflow: Workflow, from_stage: Stage, to_stage: Stage, why: str, instead: str
) -> None:
    assert refusal(workflow, from_stage, to_stage).sentence == (
        f"{from_stage.label} to {to_stage.label} is not allowed: {why}. Allowed from {instead}."
    )


def test_a_refusal_says_when_nothing_is_allowed_and_when_it_is_there_already() -> None:
    assert refusal(STRICT, ARCHIVED, PROD).sentence == (
        "Archived to Production is not allowed: archived versions cannot be restored. "
        "No move from Archived is allowed. Register a new version instead."
    )
    assert refusal(OPEN, PROD, PROD).sentence == "The version is already in Production."


@given(st.one_of(workflows, any_workflow), stages, stages)
def test_refusals_are_true_for_any_workflow(
    workflow: Workflow, from_stage: Stage, to_stage: Stage
) -> None:
    allowed = workflow.allowed_from(from_stage)
    refused = workflow.check(from_stage, to_stage)
    assert (refused is None) == (to_stage in allowed)
    if refused is None or from_stage is to_stage:
        return
    assert refused.sentence.startswith(f"{from_stage.label} to {to_stage.label} is not allowed")
    assert all(stage.label in refused.sentence for stage in allowed)
    if "moves backwards" in refused.sentence:
        assert not any(stage.position < from_stage.position for stage in allowed)
    if "cannot be restored" in refused.sentence or "No move from" in refused.sentence:
        assert allowed == ()
    if "skips" in refused.sentence:
        assert abs(from_stage.position - to_stage.position) > 1


def test_a_custom_workflow_that_forbids_the_next_stage_says_so() -> None:
    frozen = Workflow("frozen", "Frozen", {**STRICT.moves, STAGING: (ARCHIVED,)})
    assert refusal(frozen, STAGING, PROD).sentence == (
        "Staging to Production is not allowed. Allowed from Staging: Archived."
    )


def test_allowed_stages_are_listed_in_board_order() -> None:
    assert STRICT.allowed_from(STAGING) == (PROD, ARCHIVED)
    assert RETURNS.allowed_from(STAGING) == (DEV, PROD, ARCHIVED)
    assert OPEN.allowed_from(PROD) == (DEV, STAGING, ARCHIVED)
    assert STRICT.allowed_from(ARCHIVED) == ()


GATED_MOVES = {(DEV, STAGING), (DEV, PROD), (STAGING, PROD), (ARCHIVED, STAGING), (ARCHIVED, PROD)}


@pytest.mark.parametrize("from_stage", Stage)
@pytest.mark.parametrize("to_stage", Stage)
def test_policies_apply_only_to_promotions_and_to_leaving_archived(
    from_stage: Stage, to_stage: Stage
) -> None:
    assert is_promotion(from_stage, to_stage) == ((from_stage, to_stage) in GATED_MOVES)


@pytest.mark.parametrize("text", ["staging", "Staging", " STAGING ", Stage.STAGING])
def test_a_stage_is_read_in_any_case(text: str) -> None:
    assert Stage.parse(text) is Stage.STAGING


@pytest.mark.parametrize("text", ["", "none", "stage", "stag ing", "x" * 10_000, None, 1])
def test_an_unknown_stage_is_refused_with_those_that_exist(text: str) -> None:
    with pytest.raises(InvalidInput, match="Development, Staging, Production, Archived") as error:
        Stage.parse(text)
    assert error.value.field == "stage"
    assert len(str(error.value)) < 200


def test_the_next_stage_leads_to_production_and_ends_there() -> None:
    assert [stage.next for stage in Stage] == [STAGING, PROD, None, None]


def test_stages_are_numbered_and_named_in_the_order_of_the_board() -> None:
    assert [stage.position for stage in Stage] == [0, 1, 2, 3]
    assert [stage.label for stage in Stage] == ["Development", "Staging", "Production", "Archived"]


@pytest.mark.parametrize("name", ["loose", "Strict", "", "x" * 10_000, None, 5])
def test_an_unknown_workflow_is_refused_with_those_that_exist(name: str) -> None:
    with pytest.raises(InvalidInput, match="strict, returns, open") as error:
        workflow_named(name)
    assert len(str(error.value)) < 200
