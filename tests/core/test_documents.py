"""JSON documents: round trips, and errors for malformed ones."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obeya import errors, refusals
from obeya.documents.catalog import (
    model_document,
    model_from_document,
    transition_document,
    transition_from_document,
    version_document,
    version_from_document,
)
from obeya.documents.policies import policy_document, policy_from_document
from obeya.documents.problems import error_from_problem, problem_document
from obeya.documents.reading import MalformedDocument
from obeya.errors import Refusal, RefusalKind, RegistryError
from obeya.metrics import Metric
from obeya.records import ModelVersion, RegisteredModel, StageTransition
from obeya.stages import Stage
from tests.core.test_policy_text import policies

names = st.text("abcé –_.", min_size=1, max_size=12).filter(str.strip).map(str.strip)
times = st.datetimes(datetime(1970, 1, 2), datetime(9998, 1, 1)).map(  # noqa: DTZ001 - made aware
    lambda moment: moment.replace(tzinfo=UTC)
)
stages = st.sampled_from(list(Stage))
numbers = st.integers(1, 2**31 - 1)
values = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(max_size=20)
metrics = st.dictionaries(
    st.text("abc_", min_size=1, max_size=6),
    st.tuples(values, st.none() | st.integers(1, 10**9), st.none() | st.floats(0, 1e9)),
    max_size=4,
).map(
    lambda found: {
        n: Metric(n, value, samples, error) for n, (value, samples, error) in found.items()
    }
)
versions = st.builds(
    ModelVersion,
    model=names,
    version=numbers,
    stage=stages,
    revision=numbers,
    created_at=times,
    stage_entered_at=times,
    label=texts,
    measurements=metrics,
    tags=st.dictionaries(names, texts, max_size=3),
    aliases=st.lists(names, max_size=3).map(tuple),
    artifact_path=texts,
    artifact_digest=texts,
    source_run=texts,
    description=texts,
    owner=texts,
    updated_at=times,
)
models = st.builds(
    RegisteredModel,
    name=names,
    created_at=times,
    updated_at=times,
    description=texts,
    owner=texts,
    tags=st.dictionaries(names, texts, max_size=3),
    aliases=st.dictionaries(names, numbers, max_size=3),
    stages=st.fixed_dictionaries({stage: st.integers(0, 10**6) for stage in Stage}),
    champion=st.none() | numbers,
    latest=st.none() | numbers,
    workflow=texts,
)
moves = st.builds(
    StageTransition,
    model=names,
    version=numbers,
    from_stage=st.none() | stages,
    to_stage=stages,
    actor=names,
    timestamp=times,
    operation_id=names,
    reason=texts,
    archived=st.lists(numbers, max_size=3).map(tuple),
    is_rollback=st.booleans(),
)


def sent(document: object) -> dict[str, object]:
    """Return the document after a JSON round trip, with an extra member of a newer server."""
    return {**json.loads(json.dumps(document)), "of_a_newer_server": 1}


@given(versions)
def test_a_version_is_read_back(version: ModelVersion) -> None:
    read = version_from_document(sent(version_document(version)))
    assert read == version
    assert read.updated_at == version.updated_at


@given(models)
def test_a_model_is_read_back(model: RegisteredModel) -> None:
    assert model_from_document(sent(model_document(model))) == model


@given(moves)
def test_a_move_is_read_back(move: StageTransition) -> None:
    assert transition_from_document(sent(transition_document(move))) == move


@given(policies)
def test_a_policy_is_read_back(policy: object) -> None:
    assert policy_from_document(json.loads(json.dumps(policy_document(policy)))) == policy  # type: ignore[arg-type]


@pytest.mark.parametrize("document", [{}, {"model": 1}, {"model": "x", "version": "y"}])
def test_an_invalid_version_document_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(MalformedDocument):
        version_from_document(document)


REFUSALS = (Refusal(RefusalKind.POLICY, "failed", "Too low."),)


@pytest.mark.parametrize(
    "error",
    [
        errors.InvalidInput("No.", field="name"),
        errors.NotFound("None.", what="model"),
        errors.AlreadyExists("Taken.", field="version"),
        refusals.Conflict("Changed.", stage=Stage.STAGING, revision=3),
        refusals.Conflict("Changed.", stage=None, revision=3),
        errors.AlreadyClosed("Closed."),
        errors.EvidenceChanged("Changed.", digest="ab"),
        errors.IdempotencyKeyInUse(),
        errors.IdempotencyKeyReused(),
        errors.NotAllowed("No.", permission="promote"),
        errors.NotSignedIn("Who?"),
        refusals.TransitionRefused(REFUSALS, from_stage=Stage.STAGING, to_stage=Stage.PRODUCTION),
        refusals.InvalidTransition(
            REFUSALS, from_stage=Stage.STAGING, to_stage=Stage.PRODUCTION, check_id="c"
        ),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_survives_as_a_problem(error: RegistryError) -> None:
    read = error_from_problem(sent(problem_document(error)))
    assert type(read) is type(error)
    assert str(read) == str(error)
    assert vars(read) == vars(error)
