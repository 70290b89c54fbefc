"""Every way the registry says no.

    RegistryError
    ├── InvalidInput          400  exit 2   the request makes no sense
    ├── NotFound              404  exit 3   no such model, version, alias, ...
    ├── AlreadyExists         409  exit 4   the name or number is taken
    ├── Conflict              409  exit 4   somebody changed it since (412 when it came by If-Match)
    ├── AlreadyClosed         409  exit 4   the request is decided, the waiver over already
    ├── EvidenceChanged       409  exit 4   the evidence of a request is no longer what was seen
    ├── IdempotencyKeyInUse   409  exit 4   the same request is being answered at this moment
    ├── IdempotencyKeyReused  422  exit 2   the Idempotency-Key came with another request before
    ├── NotSignedIn           401  exit 5   no token, or one that is over or was revoked
    ├── NotAllowed            403  exit 5   the actor lacks the permission
    ├── Unreachable           503  exit 6   no answer came that could be one of a registry
    ├── DigestMismatch        422  exit 2   the content is not what its digest says
    ├── TooLarge              413  exit 2   a file is over the limit
    ├── StorageFull           507  exit 6   there is no room left for files
    └── TransitionRefused     422  exit 1   the rules refuse the move; carries every refusal
        └── InvalidTransition 422  exit 1   the workflow is (among) what refuses it

Those that carry a stage or a policy result are in `obeya.refusals`. Each error has a stable `code`,
a sentence for people, an HTTP status and an exit status.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar


class RefusalKind(StrEnum):
    """Which rule refuses a move."""

    WORKFLOW = "workflow"
    POLICY = "policy"
    APPROVALS = "approvals"
    WIP_LIMIT = "wip_limit"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason why a move may not be made: a stable code and a sentence."""

    kind: RefusalKind
    code: str
    sentence: str

    def __str__(self) -> str:
        return self.sentence


class RegistryError(Exception):
    """Base of all errors of the registry. `str(error)` is a sentence for people."""

    code: ClassVar[str] = "registry_error"
    http_status: ClassVar[int] = 500
    exit_status: ClassVar[int] = 1

    def __reduce__(self) -> tuple[Any, ...]:
        # Pickled as it stands: calling the class again would need its keyword-only arguments.
        return _restored, (type(self), self.args), self.__dict__


def _restored(kind: type[RegistryError], args: tuple[Any, ...]) -> RegistryError:
    error = kind.__new__(kind)
    error.args = args
    return error


class InvalidInput(RegistryError):
    """What was asked makes no sense. `field` names the part that is wrong, where there is one."""

    code = "invalid_input"
    http_status = 400
    exit_status = 2

    def __init__(self, sentence: str, *, field: str | None = None) -> None:
        super().__init__(sentence)
        self.field = field


class NotFound(RegistryError):
    """There is no such thing, or it was deleted. `what` says which kind of thing."""

    code = "not_found"
    http_status = 404
    exit_status = 3

    def __init__(self, sentence: str, *, what: str) -> None:
        super().__init__(sentence)
        self.what = what


class AlreadyExists(RegistryError):
    """The name, number or label is taken."""

    code = "already_exists"
    http_status = 409
    exit_status = 4

    def __init__(self, sentence: str, *, field: str | None = None) -> None:
        super().__init__(sentence)
        self.field = field


class AlreadyClosed(RegistryError):
    """The transition request is decided, or the waiver over, already; nothing was changed."""

    code = "already_closed"
    http_status = 409
    exit_status = 4


class EvidenceChanged(RegistryError):
    """The evidence of a request is no longer what the voter saw; nothing was changed.

    `digest` is that of the evidence as it stands.
    """

    code = "evidence_changed"
    http_status = 409
    exit_status = 4

    def __init__(self, sentence: str, *, digest: str) -> None:
        super().__init__(sentence)
        self.digest = digest


class IdempotencyKeyInUse(RegistryError):
    """The same request is being answered at this moment; sent again later it gets its answer."""

    code = "idempotency_key_in_use"
    http_status = 409
    exit_status = 4

    def __init__(self) -> None:
        super().__init__("This request is being answered at this moment; send it again later.")


class IdempotencyKeyReused(RegistryError):
    """The Idempotency-Key came with another request before; nothing was changed."""

    code = "idempotency_key_reused"
    http_status = 422
    exit_status = 2

    def __init__(self) -> None:
        super().__init__(
            "This Idempotency-Key came with another request before; use a new one for each."
        )


class NotSignedIn(RegistryError):
    """There is no token, or one that is none, is over or was revoked."""

    code = "not_signed_in"
    http_status = 401
    exit_status = 5


class NotAllowed(RegistryError):
    """The actor lacks the permission. `permission` names it."""

    code = "not_allowed"
    http_status = 403
    exit_status = 5

    def __init__(self, sentence: str, *, permission: str) -> None:
        super().__init__(sentence)
        self.permission = permission


class Unreachable(RegistryError):
    """No registry answered at the address. Whether what was asked was done is not known."""

    code = "unreachable"
    http_status = 503
    exit_status = 6


class DigestMismatch(RegistryError):
    """What was sent does not have the digest that was stated; nothing was stored."""

    code = "digest_mismatch"
    http_status = 422
    exit_status = 2


class TooLarge(RegistryError):
    """A file or body is over the limit; nothing was stored."""

    code = "too_large"
    http_status = 413
    exit_status = 2


class StorageFull(RegistryError):
    """There is no room left for files; nothing was stored."""

    code = "storage_full"
    http_status = 507
    exit_status = 6


def model_not_found(name: str) -> NotFound:
    """The error for a model that is not there."""
    return NotFound(f"There is no registered model named “{str(name)[:64]}”.", what="model")


def version_not_found(name: str, version: int) -> NotFound:
    """The error for a version that is not there."""
    return NotFound(f"{name} has no version {version}.", what="version")
