"""The tables that are compared with the log: their rows, keys and columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Model

from boards import models
from boards.models.look_alike_key import look_alike_columns
from boards.queries.facts.accounts.credential_digests import address_digest, token_digest
from boards.queries.facts.check_digest import DIGESTED, check_digest, revision_reference
from boards.queries.facts.files.file_findings import findings_digest
from boards.queries.verification.columns import (
    Column,
    Names,
    Values,
    account,
    computed,
    digest,
    document,
    held,
    look_alike_key,
    moment,
    number,
    plain,
    text,
    version,
)
from obeya.audit.chain import text_digest
from obeya.audit.replay.state import Table
from obeya.stages import Stage
from obeya.webhooks.endpoints import Target, shown_address

_OF_VERSION = "version__model_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedTable:
    """A compared table.

    `owner` is the path to the id of the registered model, "" for a table of the site chain only.
    `key` has the columns of the key as the log has them. `repeats`: rows with the same key are
    numbered in the order of their ids. `can_be_absent`: an import brings no rows of this table.
    """

    table: Table
    model: type[Model]
    owner: str
    key: Mapping[str, Column]
    columns: Mapping[str, Column]
    repeats: bool = False
    can_be_absent: bool = False

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns of the rows that are read."""
        columns = (*self.key.values(), *self.columns.values())
        found = {name for column in columns for name in column.reads}
        return tuple(sorted(found | {"pk"} | ({self.owner} if self.owner else set())))


def _uid() -> dict[str, Column]:
    return {"uid": computed(lambda row, _: str(row["uid"]), "uid")}


def _plains(*names: str) -> dict[str, Column]:
    return {name: plain(name) for name in names}


def _check_digest(row: Values) -> str:
    columns = ("uid", *DIGESTED)
    return check_digest(models.PolicyCheck(**{name: row[name] for name in columns}))


def _policy_revision(row: Values, _: Names) -> dict[str, Any] | str | None:
    if row["policy_revision_id"] is None:
        return None
    if row["policy_revision__model_id"] not in (None, row[_OF_VERSION]):
        return "a revision of another model's policy"
    return revision_reference(
        row["policy_revision__stage"],
        row["policy_revision__number"],
        is_default=row["policy_revision__model_id"] is None,
    )


def _findings(row: Values) -> tuple[str, int] | None:
    if row["artifact_size"] is None and not row["artifact_warnings"] and not row["artifact_code"]:
        return None
    found = models.ModelVersion(
        artifact_warnings=row["artifact_warnings"], artifact_code=row["artifact_code"]
    )
    return findings_digest(found), row["artifact_inspector"]


def _same_findings(said: Any, found: tuple[str, int] | None) -> bool:
    """Return whether the findings are those of the log.

    Findings of an older inspection than the log's do not count: no policy accepts them.
    """
    if said is None or found is None:
        return said is found
    return bool(said[0] == found[0]) or found[1] < said[1]


def _shown_address(row: Values, _: Names) -> str:
    is_known = row["target"] in set(Target)
    return shown_address(Target(row["target"]), row["address"]) if is_known else ""


_VERSION_KEY = {"version": version(_OF_VERSION)}
_FILES = Column(
    reads=("artifact_size", "artifact_warnings", "artifact_code", "artifact_inspector"),
    read=lambda row, _: _findings(row),
    same=_same_findings,
    is_digest=True,
)

VERSIONS = ComparedTable(
    table=Table.VERSION,
    model=models.ModelVersion,
    owner="model_id",
    key=_plains("number"),
    columns={
        **_plains(
            "label",
            "stage",
            "revision",
            "artifact_uri",
            "artifact_digest",
            "artifact_size",
            "source_run",
            "imported_unchecked",
        ),
        "description": text("description"),
        "owner": account("owner"),
        "findings": _FILES,
        **{key: look_alike_key(key, of="label") for key in look_alike_columns("")},
        **{
            name: moment(name)
            for name in ("created_at", "updated_at", "stage_entered_at", "deleted_at")
        },
    },
)
"""Read first, because other tables refer to versions."""

MODEL_TABLES = (
    ComparedTable(
        table=Table.MODEL,
        model=models.RegisteredModel,
        owner="pk",
        key={},
        columns={
            "name": text("name"),
            **{key: look_alike_key(key, of="name") for key in look_alike_columns("")},
            "description": text("description"),
            "owner": account("owner"),
            **_plains("workflow", "headline_metrics", "last_number"),
            **_plains(*(f"{stage.value}_count" for stage in Stage)),
            "champion": version("pk", "champion"),
            **{name: moment(name) for name in ("created_at", "updated_at", "deleted_at")},
        },
    ),
    ComparedTable(
        table=Table.MODEL_TAG,
        model=models.ModelTag,
        owner="model_id",
        key=_plains("key"),
        columns=_plains("value"),
    ),
    ComparedTable(
        table=Table.VERSION_TAG,
        model=models.VersionTag,
        owner=_OF_VERSION,
        key=_VERSION_KEY | _plains("key"),
        columns=_plains("value"),
    ),
    ComparedTable(
        table=Table.ALIAS,
        model=models.Alias,
        owner="model_id",
        key=_plains("name"),
        columns={"version": version("model_id")},
    ),
    ComparedTable(
        table=Table.METRIC,
        model=models.Metric,
        owner=_OF_VERSION,
        key=_VERSION_KEY | _plains("name"),
        columns={
            "value": number("value"),
            "standard_error": number("standard_error"),
            **_plains("samples", "dataset"),
            "logged_at": moment("logged_at"),
        },
    ),
    ComparedTable(
        table=Table.CHECK,
        model=models.PolicyCheck,
        owner=_OF_VERSION,
        key=_uid(),
        columns={
            "version": version(_OF_VERSION),
            "digest": digest(_check_digest, "uid", *DIGESTED),
            "policy_revision": computed(
                _policy_revision,
                "policy_revision_id",
                "policy_revision__stage",
                "policy_revision__number",
                "policy_revision__model_id",
                _OF_VERSION,
            ),
            "made_at": moment("made_at"),
            "made_by": account("made_by"),
        },
    ),
    ComparedTable(
        table=Table.REQUEST,
        model=models.TransitionRequest,
        owner=_OF_VERSION,
        key=_uid(),
        columns={
            "version": version(_OF_VERSION),
            **_plains("from_stage", "to_stage", "archive_existing", "status", "evidence_digest"),
            "reason": text("reason"),
            "requested_by": account("requested_by"),
            "closed_by": account("closed_by"),
            **{name: moment(name) for name in ("opened_at", "expires_at", "closed_at")},
        },
    ),
    ComparedTable(
        table=Table.VOTE,
        model=models.Vote,
        owner="request__version__model_id",
        key={"request": computed(lambda row, _: str(row["request__uid"]), "request__uid")},
        columns={
            "voter": account("voter"),
            **_plains("decision", "evidence_digest"),
            "comment": text("comment"),
            "voted_at": moment("voted_at"),
        },
        repeats=True,
    ),
    ComparedTable(
        table=Table.WAIVER,
        model=models.Waiver,
        owner=_OF_VERSION,
        key=_uid(),
        columns={
            "version": version(_OF_VERSION),
            **_plains("stage", "requirements"),
            "reason": text("reason"),
            "granted_by": account("granted_by"),
            "revoked_by": account("revoked_by"),
            **{name: moment(name) for name in ("granted_at", "expires_at", "revoked_at")},
        },
    ),
    ComparedTable(
        table=Table.GUARDRAIL,
        model=models.Guardrail,
        owner="model_id",
        key=_plains("metric"),
        columns={"bound": number("bound"), **_plains("comparison", "auto_rollback")},
    ),
    ComparedTable(
        table=Table.ANDON,
        model=models.Andon,
        owner=_OF_VERSION,
        key=_VERSION_KEY | _plains("metric"),
        columns={
            "comparison": plain("comparison"),
            "bound": number("bound"),
            "raised_at": moment("raised_at"),
            "cleared_at": moment("cleared_at"),
        },
        repeats=True,
    ),
)

# What a model or the whole registry can have.
OWNER_TABLES = (
    ComparedTable(
        table=Table.POLICY,
        model=models.PolicyRevision,
        owner="model_id",
        key=_plains("stage", "number"),
        columns={
            "document": document("document"),
            "created_by": account("created_by"),
            "created_at": moment("created_at"),
            "superseded_at": moment("superseded_at"),
        },
    ),
    ComparedTable(
        table=Table.WIP_LIMIT,
        model=models.WipLimit,
        owner="model_id",
        key=_plains("stage"),
        columns=_plains("limit", "mode"),
    ),
    ComparedTable(
        table=Table.GOVERNED_ALIAS,
        model=models.GovernedAlias,
        owner="model_id",
        key=_plains("alias"),
        columns=_plains("stage", "mode"),
    ),
)

USERS = ComparedTable(
    table=Table.USER,
    model=models.User,
    owner="",
    key=_uid(),
    columns={
        "username": text("username"),
        **_plains("is_service", "is_active", "is_staff", "is_superuser"),
        "groups": held(lambda names: names.groups),
        "permissions": held(lambda names: names.permissions),
    },
)

SITE_TABLES = (
    ComparedTable(
        table=Table.METRIC_DEFINITION,
        model=models.MetricDefinition,
        owner="",
        key=_plains("name"),
        columns={
            **_plains("title", "direction", "unit", "scale", "description"),
            "updated_at": moment("updated_at"),
        },
    ),
    ComparedTable(
        table=Table.TOKEN,
        model=models.ApiToken,
        owner="",
        key=_uid(),
        columns={
            "user": account("user"),
            "name": text("name"),
            **_plains("scopes", "model_globs"),
            "secret": digest(
                lambda row: token_digest(
                    models.ApiToken(shown=row["shown"], token_hash=row["token_hash"])
                ),
                "shown",
                "token_hash",
            ),
            "created_by": account("created_by"),
            **{name: moment(name) for name in ("created_at", "expires_at", "revoked_at")},
        },
        can_be_absent=True,
    ),
    ComparedTable(
        table=Table.WEBHOOK,
        model=models.Webhook,
        owner="",
        key=_uid(),
        columns={
            "name": text("name"),
            **_plains("target", "types", "model_globs", "stages", "revision"),
            "address": digest(
                lambda row: address_digest(models.Webhook(uid=row["uid"], address=row["address"])),
                "uid",
                "address",
            ),
            "shown_address": computed(_shown_address, "target", "address"),
            "created_by": account("created_by"),
            "disabled_reason": text("disabled_reason"),
            **{
                name: moment(name)
                for name in ("created_at", "previous_until", "disabled_at", "removed_at")
            },
        },
        can_be_absent=True,
    ),
    ComparedTable(
        table=Table.RUN_FILE,
        model=models.RunFile,
        owner="",
        key={"path": computed(lambda row, _: text_digest(row["path"]), "path")},
        columns={
            "sha256": plain("blob__sha256"),
            "user": account("user"),
            **_plains("models_digest"),
            "stored_at": moment("stored_at"),
        },
    ),
)
