"""Errors in the form of MLflow: a code, a message, and the code's HTTP status.

No refusal has a status of 5xx or 429: clients would repeat the request for minutes. Only a client
over the rate limit gets 429, because it should do so.
"""

from __future__ import annotations

from http import HTTPStatus

from django.http import JsonResponse

from boards.mlflow_protocol.stages import stage_name
from obeya.errors import (
    AlreadyExists,
    DamagedFile,
    InvalidInput,
    NotAllowed,
    NotFound,
    NotSignedIn,
    RegistryError,
    StorageFull,
    TooLarge,
    TooManyRequests,
)
from obeya.refusals import AliasRefused, Conflict, TransitionRefused

INVALID_PARAMETER_VALUE = "INVALID_PARAMETER_VALUE"
RESOURCE_DOES_NOT_EXIST = "RESOURCE_DOES_NOT_EXIST"
RESOURCE_ALREADY_EXISTS = "RESOURCE_ALREADY_EXISTS"
RESOURCE_CONFLICT = "RESOURCE_CONFLICT"
PERMISSION_DENIED = "PERMISSION_DENIED"
UNAUTHENTICATED = "UNAUTHENTICATED"
ENDPOINT_NOT_FOUND = "ENDPOINT_NOT_FOUND"
BAD_REQUEST = "BAD_REQUEST"
INTERNAL_ERROR = "INTERNAL_ERROR"
TEMPORARILY_UNAVAILABLE = "TEMPORARILY_UNAVAILABLE"
REQUEST_LIMIT_EXCEEDED = "REQUEST_LIMIT_EXCEEDED"
NOT_IMPLEMENTED = "NOT_IMPLEMENTED"

_STATUSES = {
    INVALID_PARAMETER_VALUE: HTTPStatus.BAD_REQUEST,
    RESOURCE_DOES_NOT_EXIST: HTTPStatus.NOT_FOUND,
    RESOURCE_ALREADY_EXISTS: HTTPStatus.BAD_REQUEST,
    RESOURCE_CONFLICT: HTTPStatus.CONFLICT,
    PERMISSION_DENIED: HTTPStatus.FORBIDDEN,
    UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    ENDPOINT_NOT_FOUND: HTTPStatus.NOT_FOUND,
    BAD_REQUEST: HTTPStatus.BAD_REQUEST,
    INTERNAL_ERROR: HTTPStatus.INTERNAL_SERVER_ERROR,
    TEMPORARILY_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    REQUEST_LIMIT_EXCEEDED: HTTPStatus.TOO_MANY_REQUESTS,
    NOT_IMPLEMENTED: HTTPStatus.NOT_IMPLEMENTED,
}

_CODES = (
    (NotFound, RESOURCE_DOES_NOT_EXIST),
    (AlreadyExists, RESOURCE_ALREADY_EXISTS),
    (InvalidInput, INVALID_PARAMETER_VALUE),
    (NotAllowed, PERMISSION_DENIED),
    (NotSignedIn, UNAUTHENTICATED),
    (TransitionRefused, RESOURCE_CONFLICT),
    (AliasRefused, RESOURCE_CONFLICT),
    (Conflict, RESOURCE_CONFLICT),
    (TooManyRequests, REQUEST_LIMIT_EXCEEDED),
    (DamagedFile, INTERNAL_ERROR),
)


class ProtocolError(Exception):
    """An error with one of MLflow's error codes, `code`. `retry_after` is in seconds."""

    def __init__(
        self, code: str, message: str, *, status: int | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status or _STATUSES[code]
        self.retry_after = retry_after

    def response(self) -> JsonResponse:
        """Return the response."""
        answer = JsonResponse(
            {"error_code": self.code, "message": str(self)},
            status=self.status,
            json_dumps_params={"ensure_ascii": False},
        )
        if self.code == UNAUTHENTICATED:
            answer["WWW-Authenticate"] = 'Basic realm="obeya"'
        if self.retry_after:
            answer["Retry-After"] = self.retry_after
        return answer


def invalid(message: str) -> ProtocolError:
    """Return the error for an invalid parameter."""
    return ProtocolError(INVALID_PARAMETER_VALUE, message)


def model_missing(name: str) -> ProtocolError:
    """Return the error for a missing model, with MLflow's message."""
    return ProtocolError(
        RESOURCE_DOES_NOT_EXIST, f"Registered Model with name={name[:256]} not found"
    )


def version_missing(name: str, version: object) -> ProtocolError:
    """Return the error for a missing version, with MLflow's message."""
    return ProtocolError(
        RESOURCE_DOES_NOT_EXIST,
        f"Model Version (name={name[:256]}, version={version}) not found",
    )


def translated(error: RegistryError, *, name: str, version: str) -> ProtocolError:
    """Return an error of the registry as an error of the protocol.

    `name` and `version` are those of the request, empty if it has none.
    """
    match error:
        case NotFound(what="model") if not version:
            return model_missing(name)
        case NotFound(what="model" | "version"):
            return version_missing(name, version)
        case AlreadyExists(field="name"):
            message = f"Registered Model already exists. {error}"
        case TransitionRefused():
            message = _refusal(error, name, version)
        case _:
            message = str(error)
    code = next((code for kind, code in _CODES if isinstance(error, kind)), BAD_REQUEST)
    # There is no error code for a file that is too large or does not fit; only the status says it.
    status = error.http_status if isinstance(error, TooLarge | StorageFull) else None
    retry_after = error.retry_after if isinstance(error, TooManyRequests) else None
    return ProtocolError(code, message, status=status, retry_after=retry_after)


def _refusal(error: TransitionRefused, name: str, version: str) -> str:
    """Return every reason, each on a separate line."""
    move = f"{stage_name(error.from_stage)} to {stage_name(error.to_stage)}"
    reasons = "".join(f"\n- {refusal.sentence}" for refusal in error.refusals)
    return f"{name} version {version} was not moved from {move}:{reasons}"
