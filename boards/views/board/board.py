"""The board and the further pages of its columns."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from boards.access.permissions import Permission, has_permission
from boards.queries.board import board_columns as board_queries
from boards.queries.board.andons import raised_andons
from boards.queries.facts.records import owner_names
from boards.queries.metrics.metric_names import metric_names
from boards.queries.paging.keyset import Cursor
from boards.queries.search.board_filter import BoardFilter
from boards.views.board.board_as_of import board_as_of, column_as_of, is_past
from boards.views.http import Request, needs, page_address
from boards.views.shell_commands import register_command
from obeya.errors import InvalidInput
from obeya.stages import Stage

# A move to these stages ends what others began: the dialog opens before it.
ASKING = frozenset({Stage.PRODUCTION, Stage.ARCHIVED})


@require_safe
@needs(Permission.VIEW)
def board(request: Request) -> HttpResponse:
    """Show the whole board; for htmx, when the filter changes, only its columns.

    An invalid field of the filter answers 400, with the error below the filter and the board
    filtered by the other fields.
    """
    if is_past(request):
        return board_as_of(request)
    lists = dict(request.GET.lists())
    board_filter, error = _readable(lists)
    partial = request.htmx and not request.htmx.boosted
    context: dict[str, Any] = {
        "section": "board",
        "filter": board_filter,
        "given": {name: values[-1] for name, values in lists.items()},
        "error": error,
        "board": board_queries.board(board_filter),
        # A reason may be required, which a drop cannot give.
        "asking": frozenset(Stage) if settings.OBEYA_REQUIRE_REASON else ASKING,
        "may_roll_back": has_permission(request.user, Permission.PROMOTE),
        "may_limit": has_permission(request.user, Permission.EDIT_POLICY),
        "register_command": register_command(request),
    }
    if not partial:
        context |= {
            "owners": owner_names(),
            "metric_names": metric_names(),
            "andons": raised_andons(),
        }
    response = render(
        request,
        "board.html#results" if partial else "board.html",
        context,
        status=error.http_status if error else 200,
    )
    patch_vary_headers(response, ["HX-Request"])
    if partial and not error:
        _set_address(request, response, board_filter)
    return response


@require_safe
@needs(Permission.VIEW)
def board_column(request: Request, stage: str) -> HttpResponse:
    """Show a further page of one column: its cards for htmx, else a separate page."""
    if is_past(request):
        return column_as_of(request, stage)
    board_filter = BoardFilter.parse(dict(request.GET.lists()))
    after = Cursor.parse(request.GET.get("after", ""))
    column = Stage.parse(stage)
    cards, next_cursor = board_queries.column_page(board_filter, column, after)
    response = render(
        request,
        "board.html#cards" if request.htmx else "board_column.html",
        {
            "section": "board",
            "filter": board_filter,
            "stage": column,
            "cards": cards,
            "next_cursor": next_cursor,
            "may_roll_back": has_permission(request.user, Permission.PROMOTE),
        },
    )
    patch_vary_headers(response, ["HX-Request"])
    return response


def _readable(lists: dict[str, list[str]]) -> tuple[BoardFilter, InvalidInput | None]:
    """Return the filter of the valid fields, and the error of the first invalid one."""
    first: InvalidInput | None = None
    while lists:
        try:
            return BoardFilter.parse(lists), first
        except InvalidInput as error:
            first = first or error
            readable = {name: values for name, values in lists.items() if name != error.field}
            lists = readable if len(readable) < len(lists) else {}
    return BoardFilter(), first


def filter_of_page(request: Request) -> BoardFilter:
    """Return the filter of the board that an htmx request came from; empty if it is invalid."""
    try:
        return BoardFilter.parse(parse_qs(page_address(request).query))
    except InvalidInput:
        return BoardFilter()


def _set_address(request: Request, response: HttpResponse, board_filter: BoardFilter) -> None:
    """Put the filter into the URL of the page, without a history entry for every letter typed."""
    address = reverse("boards:board")
    if board_filter:
        address += f"?{board_filter.query_string}"
    before = filter_of_page(request)
    only_text = (before.model, before.owner, before.tags, before.metrics) == (
        board_filter.model,
        board_filter.owner,
        board_filter.tags,
        board_filter.metrics,
    )
    response["HX-Replace-Url" if only_text else "HX-Push-Url"] = address
