"""Globs of model names: ``*`` stands for any text, ``?`` for any one character."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from obeya import names
from obeya.errors import InvalidInput

GLOBS_MAX = 20


def model_globs(globs: Iterable[str], *, whose: str) -> tuple[str, ...]:
    """The globs as they are kept, each once. `whose` begins the sentence of a refusal.

    Raises:
        InvalidInput: one that no model's name could match, or more than 20.
    """
    # A glob is as a model's name is: `*` and `?` may stand in names too.
    try:
        checked = tuple(dict.fromkeys(names.model_name(glob) for glob in globs))
    except InvalidInput as error:
        raise InvalidInput(str(error), field="models") from None
    if len(checked) > GLOBS_MAX:
        raise InvalidInput(f"{whose} names at most {GLOBS_MAX} models or globs.", field="models")
    return checked


def glob_matches(glob: str, name: str) -> bool:
    """Whether the name of a model matches."""
    # A square bracket is itself; the library's translation takes linear time.
    return fnmatchcase(name, glob.replace("[", "[[]"))
