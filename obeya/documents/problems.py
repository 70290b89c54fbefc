"""Errors as problem documents (RFC 9457), and errors read from problem documents."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from obeya.documents.policy_results import (
    policy_result_document,
    policy_result_from_document,
    refusal_documents,
    refusals_from_documents,
)
from obeya.documents.reading import Document, MalformedDocument
from obeya.errors import (
    AlreadyClosed,
    AlreadyExists,
    DamagedFile,
    DigestMismatch,
    EvidenceChanged,
    IdempotencyKeyInUse,
    IdempotencyKeyReused,
    InvalidInput,
    NotAllowed,
    NotFound,
    NotSignedIn,
    RegistryError,
    SecretNotRepeated,
    SimilarName,
    StorageFull,
    TooLarge,
    TooManyRequests,
)
from obeya.filters.tokens import FilterError
from obeya.refusals import AliasRefused, Conflict, InvalidTransition, TransitionRefused
from obeya.stages import Stage

SIMILAR_NAMES = "Obeya-Similar-Names"
"""The header of a response about new names that are similar to others: a JSON list of sentences."""

_EXTRA = ("field", "what", "permission", "revision", "digest", "retry_after", "existing")


def problem_type(code: str) -> str:
    """Return the stable URI of a kind of problem."""
    return f"urn:obeya:problem:{code.replace('_', '-')}"


def problem_document(error: RegistryError, *, status: int | None = None) -> dict[str, Any]:
    """Return the problem document of an error; `status` replaces the error's status."""
    status = status or error.http_status
    document: dict[str, Any] = {
        "type": problem_type(error.code),
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": str(error),
        "code": error.code,
    }
    document |= {name: stated for name in _EXTRA if (stated := getattr(error, name, None))}
    if isinstance(error, FilterError):
        document["position"] = error.position
    if isinstance(error, SimilarName):
        document["override"] = "allow_similar"
    if isinstance(error, Conflict):
        document["stage"] = error.stage.value if error.stage else None
        document["revision"] = error.revision
    if isinstance(error, AliasRefused):
        document |= {"alias": error.alias, "stage": error.stage.value}
    if isinstance(error, TransitionRefused):
        document |= {
            "refusals": refusal_documents(error.refusals),
            "from_stage": error.from_stage.value,
            "to_stage": error.to_stage.value,
            "policy_result": policy_result_document(error.policy_result)
            if error.policy_result
            else None,
            "check": error.check_id,
        }
    return document


def error_from_problem(document: Document) -> RegistryError:
    """Read the error that `problem_document` wrote; `RegistryError` for an unknown kind."""
    sentence = str(
        document.get("detail") or document.get("title") or "The server refused the request."
    )
    make = _MAKERS.get(str(document.get("code")))
    if make is not None:
        try:
            return make(sentence, document)
        except (KeyError, TypeError, ValueError, AttributeError, MalformedDocument):
            pass
    return RegistryError(sentence)


def _refused(
    kind: type[TransitionRefused],
) -> Callable[[str, Document], TransitionRefused]:
    def make(sentence: str, document: Document) -> TransitionRefused:
        policy_result = document["policy_result"]
        return kind(
            refusals_from_documents(document["refusals"]),
            from_stage=Stage(document["from_stage"]),
            to_stage=Stage(document["to_stage"]),
            policy_result=policy_result_from_document(policy_result) if policy_result else None,
            check_id=document["check"],
        )

    return make


_MAKERS: dict[str, Callable[[str, Document], RegistryError]] = {
    InvalidInput.code: lambda text, d: InvalidInput(text, field=d.get("field")),
    NotFound.code: lambda text, d: NotFound(text, what=d["what"]),
    AlreadyExists.code: lambda text, d: AlreadyExists(text, field=d.get("field")),
    SimilarName.code: lambda text, d: SimilarName(
        text, existing=str(d.get("existing", "")), field=d.get("field")
    ),
    Conflict.code: lambda text, d: Conflict(
        text, stage=Stage(d["stage"]) if d["stage"] else None, revision=int(d["revision"])
    ),
    AlreadyClosed.code: lambda text, _: AlreadyClosed(text),
    EvidenceChanged.code: lambda text, d: EvidenceChanged(text, digest=d["digest"]),
    IdempotencyKeyInUse.code: lambda _, __: IdempotencyKeyInUse(),
    IdempotencyKeyReused.code: lambda _, __: IdempotencyKeyReused(),
    SecretNotRepeated.code: lambda _, __: SecretNotRepeated(),
    NotAllowed.code: lambda text, d: NotAllowed(text, permission=d["permission"]),
    NotSignedIn.code: lambda text, _: NotSignedIn(text),
    AliasRefused.code: lambda text, d: AliasRefused(
        text, alias=d["alias"], stage=Stage(d["stage"])
    ),
    TransitionRefused.code: _refused(TransitionRefused),
    InvalidTransition.code: _refused(InvalidTransition),
    DigestMismatch.code: lambda text, _: DigestMismatch(text),
    TooLarge.code: lambda text, _: TooLarge(text),
    # The middleware's document has no time to wait; the client has already waited.
    TooManyRequests.code: lambda text, d: TooManyRequests(
        text, retry_after=int(d.get("retry_after", 1))
    ),
    StorageFull.code: lambda text, _: StorageFull(text),
    DamagedFile.code: lambda text, _: DamagedFile(text),
}
