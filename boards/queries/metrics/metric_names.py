"""The names of metrics, found without reading the values."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection

from boards import models

METRIC_NAMES_MAX = 500
PROBES_MAX = 500


def metric_names() -> tuple[str, ...]:
    """Return known metric names, defined ones and measured ones, sorted; at most 500 of each.

    Two statements.
    """
    defined = models.MetricDefinition.objects.order_by("name").values_list("name", flat=True)
    return tuple(sorted({*defined[:METRIC_NAMES_MAX], *_measured_names()}))


def _measured_names() -> list[str]:
    """Return the first distinct names of metrics.

    Each step seeks the next name in the index, so the cost grows with the names and not with the
    rows, as that of DISTINCT does.
    """
    table = connection.ops.quote_name(models.Metric._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH RECURSIVE known(name, place) AS (
                SELECT MIN(name), 1 FROM {table}
                UNION ALL
                SELECT (SELECT MIN(m.name) FROM {table} m WHERE m.name > known.name), place + 1
                FROM known WHERE known.name IS NOT NULL AND place < %s
            )
            SELECT name FROM known WHERE name IS NOT NULL
            """,  # noqa: S608 - the table's name is ours
            [METRIC_NAMES_MAX],
        )
        return [row[0] for row in cursor.fetchall()]


def unmeasured(asked: Iterable[str]) -> tuple[str, ...]:
    """Return the metrics that no version has, sorted; one statement for each 500 of them.

    Each name is one probe of an index, so the cost does not grow with the rows.
    """
    table = connection.ops.quote_name(models.Metric._meta.db_table)
    found: list[str] = []
    names = sorted(set(asked))
    for start in range(0, len(names), PROBES_MAX):
        part = names[start : start + PROBES_MAX]
        probes = ", ".join([f"EXISTS (SELECT 1 FROM {table} WHERE name = %s)"] * len(part))  # noqa: S608 - the table's name is ours
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {probes}", part)
            found += [
                name for name, is_there in zip(part, cursor.fetchone(), strict=True) if not is_there
            ]
    return tuple(found)
