"""The details of an event, in readable form."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from obeya.errors import RegistryError
from obeya.policy.bounds import Comparison, full_number
from obeya.policy.policy import PromotionPolicy

VALUE_MAX = 300

# The keys of an event's data that are not shown in their raw form.
_ELSEWHERE = {
    "address_digest",
    "adopted_files",
    "alias",
    "archive_existing",
    "check",
    "check_digest",
    "checked_policy",
    "findings_digest",
    "guardrail",
    "imported",
    "imported_unchecked",
    "key",
    "link_digest",
    "metrics",
    "models_digest",
    "new",
    "old",
    "passed",
    "policy",
    "refusals",
    "replaced_by",
    "request",
    "requirements",
    "revision",
    "secret_digest",
    "tags",
    "waiver",
}


# What the page of a request shows.
_OF_REQUESTS = {"evidence_digest", "expires_at"}
_ABBREVIATIONS = {"id": "ID", "uri": "URI", "url": "URL"}
_LABELS = {"fields": "changed"}

_GUARDRAIL = {"metric", "comparison", "bound"}
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[\d.]*(Z|[+-]\d\d:\d\d)\Z")


@dataclass(frozen=True, slots=True)
class Detail:
    """One detail of an event. `has_old`: it is a change, not a plain fact."""

    label: str
    value: str
    _: KW_ONLY
    old: str = ""
    has_old: bool = False

    @property
    def start(self) -> str:
        """The value without its full stop, to be followed by more words."""
        return self.value.removesuffix(".")


UNREADABLE = Detail("details", "unreadable")

# What reading `data` can raise if values do not have the types that the registry writes.
_WRONG_TYPES = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RegistryError,
    TypeError,
    ValueError,
)


def details_of(data: Mapping[str, Any] | None, texts: Mapping[str, str]) -> tuple[Detail, ...]:
    """Return the details of an event's data and free texts, without the check: it has its own page.

    `data` is None if the event cannot be parsed. The first detail is then `UNREADABLE`. It is so
    too if someone changed `data` in the database to what the registry does not write.
    """
    if data is not None:
        try:
            return tuple(_details(data, texts))
        except _WRONG_TYPES:
            pass
    return (UNREADABLE, *_details({}, texts))


def _details(data: Mapping[str, Any], texts: Mapping[str, str]) -> Iterator[Detail]:
    if "previous_name" in texts:
        yield Detail("name", texts.get("name", ""), old=texts["previous_name"], has_old=True)
    is_guardrail = data.keys() >= _GUARDRAIL
    if is_guardrail:
        yield Detail("guardrail", _guardrail(data))
    # The guardrail that an alert was raised for.
    breached = _mapping(data.get("guardrail"))
    if breached.keys() >= _GUARDRAIL:
        yield Detail("guardrail", f"{_guardrail(breached)}, was {_value(data.get('value'))}")
    if "user" in data and data["user"] is None:
        yield Detail("account", "no account has the name that was entered")
    facts = [
        Detail(_label(key), _value(value))
        for key, value in data.items()
        if key not in _ELSEWHERE
        and value not in ("", None)
        and not ("request" in data and key in _OF_REQUESTS)
        and not (is_guardrail and key in _GUARDRAIL)
    ]
    # Plain yes or no is the least important.
    yield from (fact for fact in facts if fact.value not in ("yes", "no"))
    if data.get("archive_existing"):
        yield Detail("archives", "the versions in the target stage")
    yield from _imported(_mapping(data.get("imported")))
    if data.get("imported_unchecked"):
        yield Detail("policy", "imported, not checked")
    yield from _change(data)
    yield from _metrics(_mapping(data.get("metrics")))
    for key, value in _mapping(data.get("tags")).items():
        yield Detail(f"tag {key}", _value(value))
    yield from _judgement(data)
    for role, text in texts.items():
        if role not in ("name", "previous_name"):
            yield Detail(_label(role), text)
    yield from (fact for fact in facts if fact.value in ("yes", "no"))


def _label(key: str) -> str:
    """Return the name of a member as words, such as ``artifact URI``."""
    return _LABELS.get(key) or " ".join(_ABBREVIATIONS.get(word, word) for word in key.split("_"))


def _guardrail(document: Mapping[str, Any]) -> str:
    symbol = Comparison(document["comparison"]).symbol
    return f"{document['metric']} {symbol} {_value(document['bound'])}"


def _imported(document: Mapping[str, Any]) -> Iterator[Detail]:
    """Yield the origin of an imported version, and the times that the other registry states."""
    for label, key in (
        ("imported from", "from"),
        ("created at the source", "created_at"),
        ("changed at the source", "updated_at"),
    ):
        if document.get(key):
            yield Detail(label, _value(document[key]))


def _change(data: Mapping[str, Any]) -> Iterator[Detail]:
    """Yield a change of an alias, of a tag, or of several columns."""
    old, new = data.get("old"), data.get("new")
    if "alias" in data:
        if old is None:
            yield Detail("alias", _value(data["alias"]))
        else:
            yield Detail(f"alias {data['alias']}", "this version", old=f"v{old}", has_old=True)
    elif "key" in data:
        value = _value(new) if "new" in data else "removed"
        yield Detail(f"tag {data['key']}", value, old=_value(old), has_old=True)
    else:
        before = _mapping(old)
        for key, value in _mapping(new).items():
            shown, was = _value(value), _value(before.get(key))
            if shown != was:
                yield Detail(_label(str(key)), shown, old=was, has_old=True)


def _metrics(metrics: Mapping[str, Any]) -> Iterator[Detail]:
    for name, value in metrics.items():
        if isinstance(value, Mapping) and value.keys() == {"old", "new"}:
            yield Detail(name, _metric(value["new"]), old=_metric(value["old"]), has_old=True)
        else:
            yield Detail(name, _metric(value))


def _judgement(data: Mapping[str, Any]) -> Iterator[Detail]:
    """Yield policy results, policies, waived and refused requirements, and replaced versions."""
    if "passed" in data:
        yield Detail("policy result", "passed" if data["passed"] else "failed")
    for line in data.get("requirements", ()):
        yield Detail("waived", _value(line))
    for refusal in data.get("refusals", ()):
        yield Detail("refused", _value(refusal.get("sentence")))
    if "policy" in data:
        yield from _policy(data["policy"])
        yield Detail("revision", _value(data.get("revision")))
    if "replaced_by" in data:
        yield Detail("replaced by", f"v{data['replaced_by']}")


def _policy(document: Mapping[str, Any]) -> Iterator[Detail]:
    policy = PromotionPolicy.from_document(document)
    for requirement in policy.evidence_requirements:
        yield Detail("requires", requirement.describe())
    if policy.required_approvals:
        yield Detail("approvals", str(policy.required_approvals))
    if policy.count_service_approvals:
        yield Detail("approvals by service accounts", "counted")
    if not policy.evidence_requirements and not policy.required_approvals:
        yield Detail("requires", "nothing")


def _metric(document: Mapping[str, Any] | None) -> str:
    if document is None:
        return "none"
    text = full_number(float(document["value"]))
    if "samples" in document:
        text += f", {document['samples']:,} samples"
    if "standard_error" in document:
        text += f", ± {document['standard_error']:g}"
    if "dataset" in document:
        text += f", on {document['dataset']}"
    return text


def _value(value: object) -> str:
    match value:
        case None | "":
            return "none"
        case True:
            return "yes"
        case False:
            return "no"
        case float():
            return full_number(value)
        case int():
            return str(value)
        case str():
            return (_local_time(value) if _MOMENT.match(value) else None) or cut(value, VALUE_MAX)
        case [str(), *_] if all(isinstance(text, str) for text in value):
            return cut(", ".join(map(str, value)), VALUE_MAX)
    return cut(json.dumps(value, ensure_ascii=False), VALUE_MAX)


def _local_time(text: str) -> str | None:
    """Return a time in the current time zone; None if there is no such time.

    A tag can have any value, such as a date with the month 13.
    """
    try:
        return timezone.localtime(datetime.fromisoformat(text)).strftime("%Y-%m-%d %H:%M %Z")
    except (ValueError, OverflowError):
        return None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def cut(text: str, longest: int) -> str:
    """Return the text, or its start and an ellipsis if it is longer."""
    return text if len(text) <= longest else f"{text[:longest]}…"
