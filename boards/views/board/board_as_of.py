"""The board on a past date, read-only: its columns, their further pages; a model's Production."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import patch_vary_headers

from boards.queries.audit import as_of
from boards.queries.audit.audit_filter import parse_day
from boards.queries.facts.records import find_model
from boards.queries.paging.keyset import Cursor
from boards.queries.search.board_filter import BoardFilter
from boards.views.http import Request
from obeya.errors import InvalidInput
from obeya.filters.language import is_filter
from obeya.stages import Stage

AT = "at"
# The fields of the board's filter that can be applied to the past.
FIELDS = ("q", "model")
SECONDS = len("2026-03-03T12:00:00")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductionOn:
    """The form on a model's page and its answer; `day` is None if no day was entered."""

    today: date
    day: date | None = None
    stays: tuple[as_of.ProductionStay, ...] = ()
    problem: str = ""


def is_past(request: Request) -> bool:
    """Return whether the board of a past time is requested."""
    return bool(request.GET.get(AT, "").strip())


def board_as_of(request: Request) -> HttpResponse:
    """Show the board at `?at=`; an invalid time or filter gets an error message and 400."""
    given = request.GET.get(AT, "").strip()
    moment, board_filter, problem = None, BoardFilter(), None
    try:
        board_filter = _filter(request)
        moment = as_of.parse_moment(given, now=timezone.now())
    except InvalidInput as error:
        problem = error
    return render(
        request,
        "board_as_of.html",
        {
            "section": "board",
            "given": {"at": _field(given, moment)},
            "filter": board_filter,
            "left_out": _left_out(request),
            "error": problem,
            "past": as_of.board_as_of(moment, board_filter) if moment else None,
            "query": _query(given, board_filter),
        },
        status=400 if problem else 200,
    )


def column_as_of(request: Request, stage: str) -> HttpResponse:
    """Show a further page of one column at `?at=`: its cards for htmx, else a separate page."""
    given = request.GET.get(AT, "").strip()
    moment = as_of.parse_moment(given, now=timezone.now())
    board_filter, column = _filter(request), Stage.parse(stage)
    after = Cursor.parse(request.GET.get("after", ""))
    cards, next_cursor = as_of.column_as_of(moment, board_filter, column, after)
    response = render(
        request,
        "board_as_of.html#cards" if request.htmx else "board_column_as_of.html",
        {
            "section": "board",
            "moment": moment,
            "stage": column,
            "cards": cards,
            "next_cursor": next_cursor,
            "query": _query(given, board_filter),
        },
    )
    patch_vary_headers(response, ["HX-Request"])
    return response


def answer_production_on(request: Request, name: str) -> ProductionOn:
    """Return what was in Production on the day ``?production_on=``, in the reader's time zone."""
    given, today = request.GET.get("production_on", "").strip(), timezone.localdate()
    if not given:
        return ProductionOn(today=today)
    try:
        day = parse_day(given)
    except InvalidInput as error:
        return ProductionOn(today=today, problem=str(error))
    if day > today:
        return ProductionOn(
            today=today, day=day, problem="That day is in the future. Choose a past day."
        )
    return ProductionOn(today=today, day=day, stays=as_of.in_production_on(find_model(name), day))


def _filter(request: Request) -> BoardFilter:
    lists = {name: request.GET.getlist(name) for name in FIELDS}
    if _compares(request):
        del lists["q"]
    return BoardFilter.parse(lists)


def _compares(request: Request) -> bool:
    """Return whether the search is a filter on current values, which the log does not contain."""
    return is_filter(request.GET.get("q", ""))


def _left_out(request: Request) -> list[str]:
    """Return the parts of the board's current filter that do not apply."""
    fields = [name for name in ("owner", "tag", "metric") if request.GET.get(name)]
    return ["comparison in the search", *fields] if _compares(request) else fields


def _query(given: str, board_filter: BoardFilter) -> str:
    return urlencode([(AT, given), *board_filter.parameters])


def _field(given: str, moment: datetime | None) -> str:
    """Return the time that is shown, else the given one, as the value of a datetime-local input.

    A date means its last moment. Empty if the given time is invalid.
    """
    local = as_of.local_moment(given) if moment is None else timezone.make_naive(moment)
    if local is None:
        return ""
    text = local.isoformat(timespec="milliseconds").removesuffix(".000")
    return text.removesuffix(":00") if len(text) == SECONDS else text
