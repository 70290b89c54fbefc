"""Tags of versions that are metrics: ``metrics.NAME`` with a number.

The protocol has no message that logs a metric to a version. A client uses such a tag instead.
"""

from __future__ import annotations

from collections.abc import Mapping

from boards.mlflow_protocol.errors import invalid
from obeya.errors import InvalidInput
from obeya.metrics import finite

PREFIX = "metrics."


def metrics_of_tags(tags: Mapping[str, str]) -> dict[str, float]:
    """Return the metrics among these tags.

    Raises:
        ProtocolError: one of them is not a finite number.
    """
    return dict(
        metric for key, value in tags.items() if (metric := metric_of_tag(key, value)) is not None
    )


def metric_of_tag(key: str, value: str) -> tuple[str, float] | None:
    """Return the name and the value of a tag that is a metric; None for every other tag.

    Raises:
        ProtocolError: the value is not a finite number.
    """
    if not key.startswith(PREFIX) or key == PREFIX:
        return None
    name = key.removeprefix(PREFIX)
    try:
        return name, finite(float(value), what=name)
    except (ValueError, InvalidInput):
        raise invalid(
            f"The tag '{key[:100]}' sets the metric '{name[:100]}'. Its value must be a finite "
            f"number, but got '{value[:64]}'."
        ) from None
