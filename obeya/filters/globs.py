"""Globs of model names: ``*`` matches any text, ``?`` any one character."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from obeya import names
from obeya.errors import InvalidInput

GLOBS_MAX = 20


def model_globs(globs: Iterable[str], *, whose: str) -> tuple[str, ...]:
    """Return the globs as stored, without duplicates. `whose` is the subject of the error sentence.

    Raises:
        InvalidInput: a glob cannot match any model name, or there are more than 20.
    """
    # A glob has the syntax of a model name: names can contain `*` and `?` too.
    try:
        checked = tuple(dict.fromkeys(names.model_name(glob) for glob in globs))
    except InvalidInput as error:
        raise InvalidInput(str(error), field="models") from None
    if len(checked) > GLOBS_MAX:
        raise InvalidInput(
            f"{whose} can have at most {GLOBS_MAX} model names or globs.", field="models"
        )
    return checked


def glob_matches(glob: str, name: str) -> bool:
    """Return whether the name of a model matches."""
    # A square bracket is literal; the library's translation takes linear time.
    return fnmatchcase(name, glob.replace("[", "[[]"))
