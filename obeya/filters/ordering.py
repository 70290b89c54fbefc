"""The sort order of versions: ``metrics.auc desc, created``."""

from __future__ import annotations

from dataclasses import dataclass

from obeya.filters.expressions import Field, MetricName, TagKey, subject_text
from obeya.filters.language import read_subject
from obeya.filters.tokens import Kind, TokenReader

ORDERINGS_MAX = 3

_FIELDS = (Field.CREATED, Field.UPDATED, Field.ENTERED, Field.MODEL, Field.VERSION)


@dataclass(frozen=True, slots=True)
class OrderingTerm:
    """One sort key of versions.

    Versions without the metric are last in both directions.
    """

    subject: Field | MetricName
    descending: bool = False

    def __str__(self) -> str:
        return f"{subject_text(self.subject)} {'desc' if self.descending else 'asc'}"


@dataclass(frozen=True, slots=True)
class Ordering:
    """The sort order of versions, the most significant term first; ties are sorted by age."""

    terms: tuple[OrderingTerm, ...]

    def __str__(self) -> str:
        return ", ".join(str(term) for term in self.terms)


NEWEST_FIRST = Ordering((OrderingTerm(Field.CREATED, descending=True),))


def parse_ordering(text: str) -> Ordering:
    """Parse an ordering; an empty text means newest first.

    Raises:
        FilterError: the text is not an ordering; its `field` is ``order_by``.
    """
    reader = TokenReader(text, field="order_by")
    if reader.take_kind(Kind.END):
        return NEWEST_FIRST
    terms = [_term(reader, [])]
    while reader.take_kind(Kind.COMMA):
        if len(terms) == ORDERINGS_MAX:
            raise reader.error(f"Versions can be sorted by at most {ORDERINGS_MAX} fields.")
        terms.append(_term(reader, terms))
    reader.require(Kind.END, "a comma or the end" if len(terms) < ORDERINGS_MAX else "the end")
    return Ordering(tuple(terms))


def _term(reader: TokenReader, before: list[OrderingTerm]) -> OrderingTerm:
    token = reader.token
    subject = read_subject(reader)
    if isinstance(subject, TagKey) or (isinstance(subject, Field) and subject not in _FIELDS):
        can = ", ".join(field.value for field in _FIELDS)
        raise reader.error(
            f"Versions cannot be sorted by {subject_text(subject)[:64]}; use metrics.NAME, {can}.",
            token,
        )
    if any(term.subject == subject for term in before):
        raise reader.error(f"Duplicate sort field {subject_text(subject)[:64]}.", token)
    descending = reader.take_keyword("desc")
    if not descending:
        reader.take_keyword("asc")
    return OrderingTerm(subject, descending)
