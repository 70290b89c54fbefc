"""The errors of the registry.

    RegistryError
    ├── InvalidInput          400  exit 2   the request is not valid
    ├── NotFound              404  exit 3   no such model, version, alias, ...
    ├── AlreadyExists         409  exit 4   the name or number is already in use
    │   └── SimilarName       409  exit 4   the name looks like an existing one
    ├── Conflict              409  exit 4   changed by someone else (412 if sent with If-Match)
    ├── AlreadyClosed         409  exit 4   the request or waiver is already closed
    ├── EvidenceChanged       409  exit 4   the evidence is not what the reviewer saw
    ├── IdempotencyKeyInUse   409  exit 4   the same request is still being processed
    ├── SecretNotRepeated     409  exit 4   the response had a secret, which is not stored
    ├── IdempotencyKeyReused  422  exit 2   the key was already used for another request
    ├── NotSignedIn           401  exit 5   no token, or it is invalid, expired or revoked
    ├── NotAllowed            403  exit 5   the actor lacks the permission
    ├── Unreachable           503  exit 6   no registry answered
    ├── DigestMismatch        422  exit 2   the content does not have the stated digest
    ├── TooLarge              413  exit 2   a file is over the limit
    ├── TooManyRequests       429  exit 6   a limit on requests or wrong passwords was reached
    ├── StorageFull           507  exit 6   there is no space left for files
    ├── DamagedFile           500  exit 6   the stored content of a file no longer has its digest
    ├── AliasRefused          422  exit 1   a governed alias cannot point there or be deleted
    └── TransitionRefused     422  exit 1   at least one rule refuses the move; has all refusals
        └── InvalidTransition 422  exit 1   the workflow is one of these rules

The errors that have a stage or a policy result are in `obeya.refusals`. Each error has a stable
`code`, a sentence for users, an HTTP status and an exit status.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar


class RefusalKind(StrEnum):
    """The kind of rule that refuses a move."""

    WORKFLOW = "workflow"
    POLICY = "policy"
    APPROVALS = "approvals"
    WIP_LIMIT = "wip_limit"

    @property
    def label(self) -> str:
        """The rule in words: ``WIP limit``."""
        return "WIP limit" if self is RefusalKind.WIP_LIMIT else self.value.capitalize()


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason why a move is refused: a stable code and a sentence."""

    kind: RefusalKind
    code: str
    sentence: str

    def __str__(self) -> str:
        return self.sentence


class RegistryError(Exception):
    """Base class of all errors of the registry. `str(error)` is a sentence for users."""

    code: ClassVar[str] = "registry_error"
    http_status: ClassVar[int] = 500
    exit_status: ClassVar[int] = 1

    def __reduce__(self) -> tuple[Any, ...]:
        # Pickled by its attributes: calling the class again would need its keyword-only arguments.
        return _restored, (type(self), self.args), self.__dict__


def _restored(kind: type[RegistryError], args: tuple[Any, ...]) -> RegistryError:
    error = kind.__new__(kind)
    error.args = args
    return error


class InvalidInput(RegistryError):
    """The request is not valid. `field` is the name of the invalid part, None if there is none."""

    code = "invalid_input"
    http_status = 400
    exit_status = 2

    def __init__(self, sentence: str, *, field: str | None = None) -> None:
        super().__init__(sentence)
        self.field = field


class NotFound(RegistryError):
    """The object does not exist or was deleted. `what` is the kind of object."""

    code = "not_found"
    http_status = 404
    exit_status = 3

    def __init__(self, sentence: str, *, what: str) -> None:
        super().__init__(sentence)
        self.what = what


class AlreadyExists(RegistryError):
    """The name, number or label is already in use."""

    code = "already_exists"
    http_status = 409
    exit_status = 4

    def __init__(self, sentence: str, *, field: str | None = None) -> None:
        super().__init__(sentence)
        self.field = field


class SimilarName(AlreadyExists):
    """The name looks like the name `existing`, and similar names were not allowed.

    `existing` is empty if the caller cannot see it.
    """

    code = "similar_name"

    def __init__(self, sentence: str, *, existing: str, field: str | None = None) -> None:
        super().__init__(sentence, field=field)
        self.existing = existing


class AlreadyClosed(RegistryError):
    """The transition request or waiver is already closed; nothing was changed."""

    code = "already_closed"
    http_status = 409
    exit_status = 4


class EvidenceChanged(RegistryError):
    """The evidence of a request is no longer what the reviewer saw; nothing was changed.

    `digest` is the digest of the current evidence.
    """

    code = "evidence_changed"
    http_status = 409
    exit_status = 4

    def __init__(self, sentence: str, *, digest: str) -> None:
        super().__init__(sentence)
        self.digest = digest


class IdempotencyKeyInUse(RegistryError):
    """The same request is still being processed.

    A client that sends it again later gets its response.
    """

    code = "idempotency_key_in_use"
    http_status = 409
    exit_status = 4

    def __init__(self) -> None:
        super().__init__("This request is still being processed. Send it again later.")


class SecretNotRepeated(RegistryError):
    """The same request was carried out before, and its response contained a secret.

    Such a response is not stored, so that it cannot be repeated.
    """

    code = "secret_not_repeated"
    http_status = 409
    exit_status = 4

    def __init__(self) -> None:
        super().__init__(
            "This request was carried out before. Its response contained a secret, which is not "
            "stored. If it was a new token or a new secret and you did not receive it, revoke the "
            "token, or replace the secret of the webhook endpoint, by a request with a new "
            "Idempotency-Key."
        )


class IdempotencyKeyReused(RegistryError):
    """The Idempotency-Key was already used for another request; nothing was changed."""

    code = "idempotency_key_reused"
    http_status = 422
    exit_status = 2

    def __init__(self) -> None:
        super().__init__(
            "This Idempotency-Key was already used for another request. Use a new key for each one."
        )


class NotSignedIn(RegistryError):
    """There is no token, or the token is invalid, expired or revoked."""

    code = "not_signed_in"
    http_status = 401
    exit_status = 5


class NotAllowed(RegistryError):
    """The actor lacks the permission. `permission` is its name."""

    code = "not_allowed"
    http_status = 403
    exit_status = 5

    def __init__(self, sentence: str, *, permission: str) -> None:
        super().__init__(sentence)
        self.permission = permission


class Unreachable(RegistryError):
    """No registry answered at the address.

    It is not known whether the request was carried out.
    """

    code = "unreachable"
    http_status = 503
    exit_status = 6


class DigestMismatch(RegistryError):
    """The content does not have the stated digest; nothing was stored."""

    code = "digest_mismatch"
    http_status = 422
    exit_status = 2


class TooLarge(RegistryError):
    """A file or body is over the limit; nothing was stored."""

    code = "too_large"
    http_status = 413
    exit_status = 2


class TooManyRequests(RegistryError):
    """A limit on requests or wrong passwords was reached; nothing was changed.

    `retry_after` is the time to wait, in seconds.
    """

    code = "too_many_requests"
    http_status = 429
    exit_status = 6

    def __init__(self, sentence: str, *, retry_after: int) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


class StorageFull(RegistryError):
    """There is no space left for files; nothing was stored."""

    code = "storage_full"
    http_status = 507
    exit_status = 6


class DamagedFile(RegistryError):
    """The stored content of a file is missing, or no longer has its digest."""

    code = "damaged_file"
    http_status = 500
    exit_status = 6


def model_not_found(name: str) -> NotFound:
    """Return the error for a model that does not exist."""
    return NotFound(f"There is no registered model named “{str(name)[:64]}”.", what="model")


def version_not_found(name: str, version: int) -> NotFound:
    """Return the error for a version that does not exist."""
    return NotFound(f"{name} has no version {version}.", what="version")
