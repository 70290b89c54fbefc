"""Every error of the registry, with its code, HTTP status, exit status and document."""

from __future__ import annotations

import copy
import pickle

import pytest

from obeya import errors, refusals
from obeya.errors import Refusal, RefusalKind, RegistryError
from obeya.filters.tokens import FilterError
from obeya.policy.bounds import Comparison
from obeya.policy.policy import PromotionPolicy
from obeya.policy.requirements import Evidence
from obeya.refusals import refuse
from obeya.stages import Stage

POLICY = PromotionPolicy(Stage.PRODUCTION).require_metric("accuracy", Comparison.GTE, 0.9)
BY_POLICY = Refusal(RefusalKind.POLICY, "requirement_missing", "accuracy was not measured.")
BY_WORKFLOW = Refusal(RefusalKind.WORKFLOW, "illegal_move", "It skips Staging.")
MOVE = {"from_stage": Stage.DEVELOPMENT, "to_stage": Stage.PRODUCTION}

# An error of each kind, its code, HTTP status and exit status.
KINDS = [
    (errors.InvalidInput("No.", field="name"), "invalid_input", 400, 2),
    (FilterError("No.", text="a > b", position=4, end=5), "invalid_input", 400, 2),
    (errors.NotFound("No.", what="model"), "not_found", 404, 3),
    (errors.AlreadyExists("No.", field="label"), "already_exists", 409, 4),
    (errors.SimilarName("No.", existing="x", field="label"), "similar_name", 409, 4),
    (refusals.Conflict("No.", stage=Stage.STAGING, revision=7), "conflict", 409, 4),
    (errors.AlreadyClosed("No."), "already_closed", 409, 4),
    (errors.EvidenceChanged("No.", digest="0f"), "evidence_changed", 409, 4),
    (errors.IdempotencyKeyInUse(), "idempotency_key_in_use", 409, 4),
    (errors.SecretNotRepeated(), "secret_not_repeated", 409, 4),
    (errors.IdempotencyKeyReused(), "idempotency_key_reused", 422, 2),
    (errors.NotSignedIn("No."), "not_signed_in", 401, 5),
    (errors.NotAllowed("No.", permission="promote"), "not_allowed", 403, 5),
    (errors.Unreachable("No."), "unreachable", 503, 6),
    (errors.DigestMismatch("No."), "digest_mismatch", 422, 2),
    (errors.TooLarge("No."), "too_large", 413, 2),
    (errors.TooManyRequests("No.", retry_after=9), "too_many_requests", 429, 6),
    (errors.StorageFull("No."), "storage_full", 507, 6),
    (errors.DamagedFile("No."), "damaged_file", 500, 6),
    (refusals.AliasRefused("No.", alias="champion", stage=Stage.STAGING), "alias_refused", 422, 1),
    (refuse((BY_POLICY,), **MOVE), "transition_refused", 422, 1),
    (refuse((BY_WORKFLOW,), **MOVE), "invalid_transition", 422, 1),
]


def family(kind: type[RegistryError]) -> set[type[RegistryError]]:
    return {kind}.union(*(family(child) for child in kind.__subclasses__()))


@pytest.mark.parametrize(("error", "code", "http_status", "exit_status"), KINDS)
def test_an_error_has_a_code_an_http_status_and_an_exit_status(
    error: RegistryError, code: str, http_status: int, exit_status: int
) -> None:
    assert (error.code, error.http_status, error.exit_status) == (code, http_status, exit_status)


def test_every_error_class_is_in_the_table() -> None:
    ours = {kind for kind in family(RegistryError) if kind.__module__.startswith("obeya.")}
    assert ours - {RegistryError} == {type(error) for error, *_ in KINDS}


def test_an_invalid_transition_is_caught_as_a_refused_one() -> None:
    assert issubclass(refusals.InvalidTransition, refusals.TransitionRefused)
    assert not issubclass(refusals.Conflict, refusals.TransitionRefused)


@pytest.mark.parametrize(
    ("refusals", "kind"),
    [
        ((BY_POLICY,), refusals.TransitionRefused),
        ((BY_WORKFLOW,), refusals.InvalidTransition),
        ((BY_POLICY, BY_WORKFLOW), refusals.InvalidTransition),
    ],
)
def test_a_refusal_by_the_workflow_is_an_invalid_transition(
    refusals: tuple[Refusal, ...], kind: type[RegistryError]
) -> None:
    assert type(refuse(refusals, **MOVE)) is kind


def test_a_refused_transition_lists_every_reason() -> None:
    policy_result = POLICY.check(Evidence(version=1))
    error = refuse(
        (BY_WORKFLOW, BY_POLICY), **MOVE, policy_result=policy_result, check_id="check-1"
    )
    assert str(error) == "It skips Staging. accuracy was not measured."
    assert error.refusals == (BY_WORKFLOW, BY_POLICY)
    assert (error.from_stage, error.to_stage) == (Stage.DEVELOPMENT, Stage.PRODUCTION)
    assert (error.policy_result, error.check_id) == (policy_result, "check-1")


def test_the_message_for_a_missing_model_is_short_for_any_name() -> None:
    assert len(str(errors.model_not_found("x" * 10_000))) < 120
    assert errors.model_not_found("resnet").what == "model"
    assert str(errors.version_not_found("resnet", 3)) == "resnet has no version 3."


@pytest.mark.parametrize("error", [error for error, *_ in KINDS], ids=lambda error: error.code)
@pytest.mark.parametrize(
    "again",
    [
        copy.copy,
        copy.deepcopy,
        lambda error: pickle.loads(pickle.dumps(error)),  # noqa: S301 - our own pickle
    ],
)
def test_an_error_survives_copying_and_pickling(error: RegistryError, again) -> None:
    same = again(error)
    assert type(same) is type(error)
    assert str(same) == str(error)
    assert vars(same) == vars(error)
