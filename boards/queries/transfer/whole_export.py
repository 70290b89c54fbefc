"""All data of an installation as documents, for its whole export.

A document is a row: its columns by their names, references as the ids of rows in the other files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.models import Group, Permission
from django.db.models import Field, JSONField, Model

from boards import models
from obeya.audit.chain import timestamp

CHUNK = 1_000


@dataclass(frozen=True, slots=True)
class Noun:
    """One exported table: its file and model, and the columns that are not exported.

    `held` are the members that list the names of rows that are related to a row. `since` is the
    format that the table came with; `added` are the columns that format 1 does not have.
    """

    file: str
    model: type[Model]
    _: KW_ONLY
    left_out: frozenset[str] = frozenset()
    held: tuple[str, ...] = ()
    since: int = 1
    added: frozenset[str] = frozenset()

    @property
    def columns(self) -> tuple[Field[Any, Any], ...]:
        """The columns that are exported, in their order."""
        return tuple(f for f in self.model._meta.local_fields if f.name not in self.left_out)


# The keys of names that look alike are computed when a row is stored.
_COMPUTED = frozenset({"look_alike_key", "second_look_alike_key"})

NOUNS = (
    Noun(
        "accounts.jsonl",
        models.User,
        left_out=frozenset({"password", "last_login"}),
        held=("groups", "user_permissions"),
    ),
    Noun("site_chain.jsonl", models.SiteChain),
    Noun("models.jsonl", models.RegisteredModel, left_out=_COMPUTED),
    Noun("model_tags.jsonl", models.ModelTag),
    # Without what the inspection of files found, which is repeated after an import, and without
    # the mark of imported versions, which the log determines.
    Noun(
        "versions.jsonl",
        models.ModelVersion,
        left_out=frozenset(
            {"artifact_code", "artifact_inspector", "imported_unchecked", *_COMPUTED}
        ),
    ),
    Noun("version_tags.jsonl", models.VersionTag),
    Noun("aliases.jsonl", models.Alias),
    Noun("metrics.jsonl", models.Metric),
    Noun("metric_definitions.jsonl", models.MetricDefinition),
    Noun("policy_revisions.jsonl", models.PolicyRevision),
    Noun("policy_checks.jsonl", models.PolicyCheck),
    Noun("transition_requests.jsonl", models.TransitionRequest),
    Noun("votes.jsonl", models.Vote),
    Noun("waivers.jsonl", models.Waiver),
    Noun("guardrails.jsonl", models.Guardrail),
    Noun("live_values.jsonl", models.LiveValue),
    Noun("andons.jsonl", models.Andon),
    Noun("wip_limits.jsonl", models.WipLimit),
    Noun("governed_aliases.jsonl", models.GovernedAlias, since=2),
    # An export contains only intact content.
    Noun(
        "blobs.jsonl",
        models.Blob,
        left_out=frozenset({"inspector", "findings_seal", "damage", "damaged_at"}),
    ),
    Noun("blob_uploads.jsonl", models.BlobUpload, added=frozenset({"models_digest"})),
    Noun("artifact_files.jsonl", models.ArtifactFile),
    Noun("run_files.jsonl", models.RunFile, added=frozenset({"models_digest"})),
    Noun("events.jsonl", models.AuditEvent),
    Noun("event_texts.jsonl", models.AuditText),
)

STAY: Mapping[type[Model], str] = {
    models.OneTimeLink: "a credential",
    models.ApiToken: "a credential",
    models.TokenAddress: "belongs to the tokens",
    models.FailedSignIns: "counted for 15 minutes",
    models.PasswordAttempts: "counted for 15 minutes, with the key of this installation",
    models.IdempotentRequest: "stored for a week, for the clients of this server",
    models.VerificationRun: "the imported log is verified again",
    models.VerifiedChain: "the imported log is verified again",
    models.Webhook: "its secrets are encrypted with the key of this installation",
    models.WebhookMessage: "belongs to the endpoints",
    models.Delivery: "belongs to the endpoints",
    models.DeliveryAttempt: "belongs to the endpoints",
    models.HeadsPublished: "published by this installation",
    models.Installation: "distinguishes this installation from the one that imports",
}
"""The tables that are not exported, and why."""


def names_of_groups() -> dict[str, int]:
    """Return the ids of all groups, by name."""
    return dict(Group.objects.values_list("name", "pk"))


def names_of_permissions() -> dict[str, int]:
    """Return the ids of all permissions, by the names in code: ``boards.promote``."""
    rows = Permission.objects.values_list("content_type__app_label", "codename", "pk")
    return {f"{app}.{codename}": pk for app, codename, pk in rows}


HELD: Mapping[str, tuple[type[Model], str, Callable[[], dict[str, int]]]] = {
    "groups": (models.User.groups.through, "group_id", names_of_groups),
    "user_permissions": (
        models.User.user_permissions.through,
        "permission_id",
        names_of_permissions,
    ),
}
"""Groups and permissions of accounts: the table, its column, and the ids by name."""


def documents(noun: Noun) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table by their ids, a thousand at a time."""
    columns = [(column.attname, column.name, column) for column in noun.columns]
    held = {name: _held(name) for name in noun.held}
    names = [attname for attname, *_ in columns]
    after = 0
    while True:
        rows = list(
            noun.model._default_manager.filter(pk__gt=after).order_by("pk").values(*names)[:CHUNK]
        )
        for row in rows:
            document = {name: written(column, row[attname]) for attname, name, column in columns}
            document |= {name: names.get(row["id"], []) for name, names in held.items()}
            yield document
        if len(rows) < CHUNK:
            return
        after = rows[-1]["id"]


def count_rows() -> int:
    """Return the number of rows and contents in an export."""
    return sum(noun.model._default_manager.count() for noun in NOUNS) + models.Blob.objects.count()


def stored_blobs() -> Iterator[tuple[str, int]]:
    """Yield digest and size in bytes of all stored content."""
    yield from models.Blob.objects.order_by("pk").values_list("sha256", "size").iterator()


def written(column: Field[Any, Any], value: object) -> object:
    """Return the value of a column as it is in a document."""
    if isinstance(column, JSONField):
        # PostgreSQL stores JSON in another order.
        return _sorted(value)
    if isinstance(value, datetime):
        return timestamp(value)
    if isinstance(value, UUID | date):
        return str(value)
    return value


def _held(member: str) -> dict[int, list[str]]:
    through, column, known = HELD[member]
    names = {pk: name for name, pk in known().items()}
    found: dict[int, list[str]] = {}
    for user, pk in through._default_manager.values_list("user_id", column):
        found.setdefault(user, []).append(names[pk])
    return {user: sorted(held) for user, held in found.items()}


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return value
