"""Models and versions as MLflow's messages, in the JSON form of Protocol Buffers.

Times are milliseconds since the beginning of 1970. Whole numbers of 64 bits are written as strings,
as the format requires (https://protobuf.dev/programming-guides/json/); so are versions, which are
strings in MLflow. Empty fields are left out where MLflow leaves them out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from boards import models
from boards.access.actors import owner_name
from boards.mlflow_protocol.stages import stage_name
from boards.queries.paging.keyset import microseconds
from boards.queries.search.mlflow_search import latest_versions

RUN_LINK_TAG = "mlflow.run_link"
MODEL_ID_TAG = "mlflow.model_id"
SOURCE_TAG = "mlflow.source"
OWN_TAGS = frozenset({RUN_LINK_TAG, MODEL_ID_TAG, SOURCE_TAG})
"""Tags whose values MLflow has fields for; they are returned in those fields."""

Document = dict[str, Any]


def milliseconds(moment: datetime) -> str:
    """Return a time as the protocol writes it."""
    return str(microseconds(moment) // 1_000)


def model_documents(rows: Sequence[models.RegisteredModel]) -> list[Document]:
    """Return models with their tags, aliases and latest versions, in the order given.

    Four statements.
    """
    ids = [row.pk for row in rows]
    latest: dict[int, list[models.ModelVersion]] = defaultdict(list)
    for version in latest_versions(rows):
        latest[version.model_id].append(version)
    documents = version_documents([version for each in latest.values() for version in each])
    shown = {(d["name"], d["version"]): d for d in documents}
    tags = _grouped(models.ModelTag.objects.filter(model__in=ids), "model_id", "key", "value")
    aliases = _grouped(
        models.Alias.objects.filter(model__in=ids), "model_id", "name", "version__number"
    )
    return [
        _without_empty(
            {
                "name": row.name,
                "creation_timestamp": milliseconds(row.created_at),
                "last_updated_timestamp": milliseconds(row.updated_at),
                "user_id": owner_name(row.owner),
                "description": row.description,
                "latest_versions": [shown[row.name, str(v.number)] for v in latest[row.pk]],
                "tags": _pairs(tags[row.pk]),
                "aliases": [
                    {"alias": alias, "version": str(number)} for alias, number in aliases[row.pk]
                ],
            }
        )
        for row in rows
    ]


def version_documents(
    rows: Sequence[models.ModelVersion],
    *,
    aliases: Mapping[int, Sequence[str]] | None = None,
) -> list[Document]:
    """Return versions with their tags, in the order given; one statement.

    Each row's `model` and `owner` must have been fetched with it. `aliases` by the row's id.
    """
    ids = [row.pk for row in rows]
    tags = _grouped(models.VersionTag.objects.filter(version__in=ids), "version_id", "key", "value")
    return [_version(row, dict(tags[row.pk]), (aliases or {}).get(row.pk, ())) for row in rows]


def with_aliases(rows: Sequence[models.ModelVersion]) -> list[Document]:
    """Return versions with their aliases, which search responses do not include."""
    pks = [row.pk for row in rows]
    found = _grouped(models.Alias.objects.filter(version__in=pks), "version_id", "name", "name")
    aliases = {pk: [alias for alias, _ in pairs] for pk, pairs in found.items()}
    return version_documents(rows, aliases=aliases)


def _version(
    row: models.ModelVersion,
    tags: dict[str, str],
    aliases: Sequence[str],
) -> Document:
    document = {
        "name": row.model.name,
        "version": str(row.number),
        "creation_timestamp": milliseconds(row.created_at),
        "last_updated_timestamp": milliseconds(row.updated_at),
        "user_id": owner_name(row.owner),
        "current_stage": stage_name(row.stage),
        "description": row.description,
        "source": tags.get(SOURCE_TAG, row.artifact_uri),
        "run_id": row.source_run,
        "status": "READY",
        "run_link": tags.get(RUN_LINK_TAG, ""),
    }
    more = {
        "model_id": tags.get(MODEL_ID_TAG, ""),
        "tags": _pairs((key, value) for key, value in tags.items() if key not in OWN_TAGS),
        "aliases": list(aliases),
    }
    return document | _without_empty(more)


def _grouped(
    rows: QuerySet[Any], owner: str, key: str, value: str
) -> defaultdict[int, list[tuple[str, Any]]]:
    grouped: defaultdict[int, list[tuple[str, Any]]] = defaultdict(list)
    for pk, name, content in rows.order_by(key).values_list(owner, key, value):
        grouped[pk].append((name, content))
    return grouped


def _pairs(tags: Iterable[tuple[str, str]]) -> list[Document]:
    return [{"key": key, "value": value} for key, value in tags]


def _without_empty(document: Document) -> Document:
    return {field: value for field, value in document.items() if value not in ("", [])}
