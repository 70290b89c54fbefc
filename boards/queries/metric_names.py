"""The names of metrics that forms suggest."""

from __future__ import annotations

from django.db import connection

from boards import models

METRIC_NAMES_MAX = 500


def metric_names() -> tuple[str, ...]:
    """Known metric names, defined ones and measured ones, sorted; at most 500 of each.

    Two statements.
    """
    defined = models.MetricDefinition.objects.order_by("name").values_list("name", flat=True)
    return tuple(sorted({*defined[:METRIC_NAMES_MAX], *_measured_names()}))


def _measured_names() -> list[str]:
    """The first distinct names of metrics.

    Each step seeks the next name in the index, so the cost grows with the names and not, as
    that of DISTINCT does, with the rows.
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
