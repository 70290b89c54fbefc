"""Which columns are compared with the log, and why the others are not."""

from __future__ import annotations

from collections.abc import Mapping

from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.db.models import Model

from boards import models
from boards.queries.verification.tables import (
    MODEL_TABLES,
    OWNER_TABLES,
    SITE_TABLES,
    USERS,
    VERSIONS,
)

COMPARED_TABLES = (VERSIONS, *MODEL_TABLES, *OWNER_TABLES, USERS, *SITE_TABLES)
_HEAD = frozenset({"uid", "chain_length", "chain_hash", "chain_occurred_at"})

COMPARED_SEPARATELY: Mapping[type[Model], frozenset[str]] = {
    # With the events themselves, by the verification of the chains.
    models.SiteChain: _HEAD,
    models.RegisteredModel: _HEAD,
    models.AuditEvent: frozenset(
        {
            "model",
            "version",
            "sequence",
            "occurred_at",
            "recorded_at",
            "actor",
            "channel",
            "action",
            "from_stage",
            "to_stage",
            "operation",
            "canonical_text",
            "previous_hash",
            "hash",
        }
    ),
    models.AuditText: frozenset({"event", "role", "text"}),
    # By their digest and findings, in `comparison`.
    models.ArtifactFile: frozenset({"version", "path", "blob"}),
    # By the seal of the findings, in `accounts`.
    models.Blob: frozenset({"sha256", "size", "findings", "inspector", "findings_seal"}),
    # In `accounts`.
    models.User: frozenset({"groups", "user_permissions"}),
    Group: frozenset({"name", "permissions"}),
    models.OneTimeLink: frozenset({"user", "token_hash", "expires_at", "used_at"}),
}
"""Columns that are compared by other code than that of the compared tables."""

ALL = "(all)"
UNCOVERED: Mapping[type[Model], Mapping[str, str]] = {
    models.User: {
        "password": "a secret; its changes have events without a value",
        "last_login": "the last sign-in, written by Django",
        "first_name": "personal data without effect on permissions",
        "last_name": "personal data without effect on permissions",
        "email": "personal data without effect on permissions",
        "date_joined": "repeats the time of the event",
    },
    models.OneTimeLink: {
        "created_at": "repeats the time of the event",
    },
    models.ApiToken: {"last_used_at": "the last use, written at most once a minute"},
    models.IdempotentRequest: {ALL: "answers to repeated requests, deleted after a week"},
    models.ModelVersion: {
        "artifact_inspector": "which inspection read the files; repeated by `obeya inspect --all`",
    },
    models.Blob: {
        "created_at": "when content was stored first; no version changes then",
        "sent_at": "when content was stored last; no version changes then",
        "damage": "what a read of the content found",
        "damaged_at": "what a read of the content found",
    },
    models.TokenAddress: {ALL: "the latest addresses of a token; each has an event"},
    models.FailedSignIns: {ALL: "failed sign-ins of 15 minutes, then deleted; they have events"},
    models.PasswordAttempts: {ALL: "wrong passwords, deleted when they no longer count"},
    models.Installation: {ALL: "the name of the installation's cookies"},
    models.BlobUpload: {ALL: "who sent content, before a version has it"},
    models.LiveValue: {ALL: "live values arrive all the time; alerts have events"},
    models.Andon: {"value": "the last live value while the alert is raised"},
    models.Webhook: {
        "sealed_secret": "encrypted with the key of the installation",
        "sealed_previous": "encrypted with the key of the installation",
        "failing_since": "the state of deliveries",
    },
    models.WebhookMessage: {ALL: "copies of events for endpoints, deleted after their delivery"},
    models.Delivery: {ALL: "the state of deliveries"},
    models.DeliveryAttempt: {ALL: "the state of deliveries"},
    models.HeadsPublished: {ALL: "which heads were sent; the receivers have them"},
    models.VerificationRun: {ALL: "results of verifications, which are not evidence"},
    models.VerifiedChain: {ALL: "results of verifications, which are not evidence"},
    Permission: {ALL: "created by migrations from the code"},
}
"""The columns that are not compared, by table, each with the reason. docs/audit.md lists them."""

UNCOVERED_APPS: Mapping[str, str] = {
    "admin": "the admin's list of recent actions; the audit log has the events",
    "contenttypes": "created by migrations from the code",
    "sessions": "who is signed in; deleted after their end",
}
"""The apps of which no table is compared."""


def compared_columns(model: type[Model]) -> set[str]:
    """Return the names of the columns of a table that are compared with the log."""
    found = set(COMPARED_SEPARATELY.get(model, ()))
    names = {column.attname: column.name for column in model._meta.local_fields}
    for table in COMPARED_TABLES:
        if table.model is model:
            reads = {name.partition("__")[0] for name in table.reads}
            found |= {names.get(name, name) for name in reads}
    return found - {"pk"}


def documented_lines() -> list[str]:
    """Return the lines of the documentation's table of uncovered columns."""
    lines = [
        _line(model, ", ".join(_shown(name) for name in names), reason)
        for model, columns in UNCOVERED.items()
        for reason, names in _by_reason(columns).items()
    ]
    for label, reason in UNCOVERED_APPS.items():
        lines += [_line(model, "all", reason) for model in apps.get_app_config(label).get_models()]
    return lines


def _line(model: type[Model], columns: str, reason: str) -> str:
    table = model._meta.db_table
    return f"| {model._meta.verbose_name_plural} | `{table}` | {columns} | {reason} |"


def _by_reason(columns: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, reason in columns.items():
        found.setdefault(reason, []).append(name)
    return found


def _shown(name: str) -> str:
    return "all" if name == ALL else f"`{name}`"
