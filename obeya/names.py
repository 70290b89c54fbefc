"""Validation of names, keys, labels and texts, the same for every interface.

Each function returns the value to store (Unicode NFC) or raises `InvalidInput` with a sentence that
says what to change. They accept every name that can exist; `obeya.look_alikes.new_names` checks the
characters of new ones.
"""

from __future__ import annotations

import re
import unicodedata

from obeya.errors import InvalidInput
from obeya.look_alikes.characters import is_blank

MODEL_NAME_MAX = 256
METRIC_NAME_MAX = 250
LABEL_MAX = 64
TAG_KEY_MAX = 250
TAG_VALUE_MAX = 100_000
ALIAS_MAX = 255
ARTIFACT_DIGEST_MAX = len("sha256:") + 64
DESCRIPTION_MAX = 100_000
REASON_MAX = 10_000
URI_MAX = 2_048
DATASET_MAX = 250
TOKEN_NAME_MAX = 100

_ALIAS = re.compile(r"[\w-]+\Z")
_RESERVED_ALIAS = re.compile(r"(latest|v\d+)\Z", re.IGNORECASE)
_DIGEST = re.compile(r"(sha256:)?[0-9a-f]{64}\Z")


def model_name(text: str) -> str:
    """Check a model name: 1 to 256 characters without control characters, ``/`` and ``:``.

    ``.`` and ``..`` are not allowed.
    """
    name = _line(text, what="A model name", field="name", longest=MODEL_NAME_MAX)
    if name in (".", ".."):
        raise InvalidInput(f"A model cannot be named “{name}”.", field="name")
    for character in "/:":
        if character in name:
            raise InvalidInput(f"A model name cannot contain “{character}”.", field="name")
    return name


def metric_name(text: str) -> str:
    """Check a metric name: 1 to 250 characters without control characters."""
    return _line(text, what="A metric name", field="metric", longest=METRIC_NAME_MAX)


def dataset_name(text: str) -> str:
    """Check the evaluation dataset of a metric: at most 250 characters.

    Empty means not stated.
    """
    return _line(text, what="A dataset name", field="dataset", longest=DATASET_MAX, shortest=0)


def label(text: str) -> str:
    """Check the label of a version: at most 64 characters of free text; empty means no label."""
    return _line(text, what="A label", field="label", longest=LABEL_MAX, shortest=0)


def tag_key(text: str) -> str:
    """Check a tag key: 1 to 250 characters without control characters."""
    return _line(text, what="A tag key", field="key", longest=TAG_KEY_MAX)


def tag_value(text: str) -> str:
    """Check a tag value: any text of at most 100,000 characters, possibly empty."""
    return _text(text, what="A tag value", field="value", longest=TAG_VALUE_MAX)


def alias(text: str) -> str:
    """Check an alias: 1 to 255 letters, digits, ``_`` and ``-``.

    ``latest``, ``v1``, ``v2``, ... are reserved.
    """
    name = _line(text, what="An alias", field="alias", longest=ALIAS_MAX)
    if not _ALIAS.match(name):
        raise InvalidInput("An alias can contain only letters, digits, “_” and “-”.", field="alias")
    if _RESERVED_ALIAS.match(name):
        raise InvalidInput(f"“{name}” is reserved and cannot be an alias.", field="alias")
    return name


def artifact_path(text: str) -> str:
    """Check an artifact URI: opaque text of at most 2,048 characters; the server never opens it."""
    return _line(text, what="An artifact URI", field="artifact_path", longest=URI_MAX, shortest=0)


def artifact_digest(text: str) -> str:
    """Check a digest: ``sha256:`` and 64 lower-case hex digits, or empty.

    Bare hex digits get the prefix.
    """
    digest = _line(text, what="A digest", field="artifact_digest", longest=256, shortest=0).lower()
    if not digest:
        return ""
    if not _DIGEST.match(digest):
        raise InvalidInput(
            "A digest must be “sha256:” and 64 hexadecimal digits.", field="artifact_digest"
        )
    return f"sha256:{digest.removeprefix('sha256:')}"


def source_run(text: str) -> str:
    """Check the identifier of the run that created the version: opaque, at most 250 characters."""
    return _line(text, what="A source run", field="source_run", longest=250, shortest=0)


def token_name(text: str) -> str:
    """Check the name of an API token: 1 to 100 characters without control characters."""
    return _line(text, what="A token name", field="name", longest=TOKEN_NAME_MAX)


def description(text: str) -> str:
    """Check a description: Markdown of at most 100,000 characters."""
    return _text(text, what="A description", field="description", longest=DESCRIPTION_MAX)


def reason(text: str) -> str:
    """Check a reason: at most 10,000 characters; surrounding white space is removed."""
    return _text(text, what="A reason", field="reason", longest=REASON_MAX).strip()


def required_reason(text: str, *, to: str) -> str:
    """Check a reason that is required; `to` completes “A reason is required to …”."""
    given = reason(text)
    if is_blank(given):
        raise InvalidInput(f"A reason is required to {to}.", field="reason")
    return given


def search_text(text: str, *, what: str = "A search", field: str = "q") -> str:
    """Check a search text for names, labels or accounts: at most 256 characters, in stored form."""
    return _text(text, what=what, field=field, longest=MODEL_NAME_MAX).strip()


def stored_form(text: str) -> str:
    """Return the stored form of a model name, tag key or alias, for looking it up.

    Never raises: a text that is not a valid name becomes "", which matches nothing.
    """
    try:
        return _line(text, what="A name", field="name", longest=MODEL_NAME_MAX)
    except InvalidInput:
        return ""


def _line(text: str, *, what: str, field: str, longest: int, shortest: int = 1) -> str:
    line = _text(text, what=what, field=field, longest=longest).strip()
    if len(line) < shortest:
        raise InvalidInput(f"{what} cannot be empty.", field=field)
    if any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in line):
        raise InvalidInput(f"{what} cannot contain control characters.", field=field)
    return line


def _text(text: str, *, what: str, field: str, longest: int) -> str:
    if not isinstance(text, str):
        raise InvalidInput(f"{what} must be text.", field=field)
    if len(text) <= longest and text.isascii() and text.isprintable():
        return text
    # Normalization is expensive: a text far over the limit is refused first.
    if len(text) > 4 * longest + 64:
        raise InvalidInput(_too_long(what, len(text), longest), field=field)
    normal = unicodedata.normalize("NFC", text)
    if "\x00" in normal or any("\ud800" <= character <= "\udfff" for character in normal):
        raise InvalidInput(f"{what} contains a character that cannot be stored.", field=field)
    if len(normal) > longest:
        raise InvalidInput(_too_long(what, len(normal), longest), field=field)
    return normal


def _too_long(what: str, length: int, longest: int) -> str:
    return f"{what} can have at most {longest:,} characters; this one has {length:,}."
