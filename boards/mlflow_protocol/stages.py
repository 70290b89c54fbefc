"""Stages by their names in MLflow, where None is Development."""

from __future__ import annotations

from obeya.errors import InvalidInput
from obeya.stages import Stage

NONE = "None"
_NAMES = {Stage.DEVELOPMENT: NONE, **{stage: stage.label for stage in list(Stage)[1:]}}


def stage_name(stage: Stage | str) -> str:
    """Return the name of a stage in MLflow."""
    return _NAMES[Stage(stage)]


def read_stage(text: str) -> Stage:
    """Return the stage of a name, ignoring case; Development has both names.

    Raises:
        InvalidInput: no stage has that name.
    """
    if text.lower() == NONE.lower():
        return Stage.DEVELOPMENT
    try:
        return Stage.parse(text)
    except InvalidInput:
        raise InvalidInput(
            f"Invalid Model Version stage: {text[:64]}. "
            f"Value must be one of {', '.join(_NAMES.values())}.",
            field="stage",
        ) from None
