"""The query of a comparison: its versions, the baseline, and what is hidden."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse

from boards.queries.compare.compare_page import VERSIONS_MAX, VersionRef
from boards.queries.paging.whole_number import whole_number
from obeya.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class CompareQuery:
    """The query ``?v=resnet50:17&v=resnet101:5&baseline=0&differences=1``.

    `baseline` is an index in `refs`; None lets the page choose.
    """

    refs: tuple[VersionRef, ...]
    baseline: int | None = None
    only_differences: bool = False

    @classmethod
    def parse(cls, values: QueryDict) -> Self:
        """Parse the query. Empty and repeated v's are left out.

        Raises:
            InvalidInput: a v or the baseline is invalid, or there are too many versions.
        """
        given = [VersionRef.parse(text) for text in stated(values)]
        refs = tuple(dict.fromkeys(given))
        if len(refs) > VERSIONS_MAX:
            raise InvalidInput(
                f"You can compare at most {VERSIONS_MAX} versions at a time, not {len(refs)}.",
                field="v",
            )
        text = values.get("baseline", "").strip()
        baseline = None
        if text:
            place = whole_number(text, at_most=len(given) - 1)
            if place is None:
                raise InvalidInput(
                    f"Unknown baseline “{text[:16]}”. Write the position of a version, 0 for the "
                    "first.",
                    field="baseline",
                )
            # An index in all v's, including repeated ones.
            baseline = refs.index(given[place])
        return cls(refs, baseline, values.get("differences", "") not in ("", "0"))

    @property
    def query_string(self) -> str:
        """The query without its question mark."""
        pairs = [("v", str(ref)) for ref in self.refs]
        if self.baseline is not None:
            pairs.append(("baseline", str(self.baseline)))
        if self.only_differences:
            pairs.append(("differences", "1"))
        return urlencode(pairs)

    @property
    def url(self) -> str:
        """The URL of the page."""
        return f"{reverse('boards:compare')}?{self.query_string}"

    @property
    def csv_url(self) -> str:
        """The URL of the same comparison as CSV."""
        return f"{reverse('boards:compare_csv')}?{self.query_string}"

    @property
    def toggled(self) -> Self:
        """The same query with everything shown, or with the differences only."""
        return replace(self, only_differences=not self.only_differences)

    def with_baseline(self, place: int) -> Self:
        """Return the same query with another baseline."""
        return replace(self, baseline=place)

    def without(self, place: int) -> Self:
        """Return the same query without one version.

        The first is the baseline if that was removed.
        """
        kept = self.refs[:place] + self.refs[place + 1 :]
        baseline = self.baseline or 0
        if baseline == place:
            baseline = 0
        elif baseline > place:
            baseline -= 1
        return replace(self, refs=kept, baseline=baseline if kept else None)


def stated(values: QueryDict) -> list[str]:
    """Return the v's that are not empty, as they were written."""
    return [text.strip() for text in values.getlist("v") if text.strip()]
