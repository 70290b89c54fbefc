"""The pages of waivers: of one version, and all of them, one page at a time."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db.models import Q, QuerySet

from boards import models
from boards.access.actors import display_name
from boards.queries.facts.policies_in_force import PoliciesInForce
from boards.queries.facts.waivers import waiver_record
from boards.queries.paging.keyset import Cursor
from obeya.errors import InvalidInput, NotFound
from obeya.policy.waivers import Waiver
from obeya.stages import Stage, is_promotion

PAGE = 50
OF_VERSION_MAX = 20


class WaiverState(StrEnum):
    """The state of a waiver."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


class WaiverView(StrEnum):
    """The views of the list."""

    ACTIVE = "active"
    PAST = "past"

    @classmethod
    def parse(cls, text: str) -> WaiverView:
        """Parse the view of a URL; the default is active.

        Raises:
            InvalidInput: there is no such view.
        """
        if text and text not in list(cls):
            raise InvalidInput(f"Unknown view “{text[:32]}”. Choose active or past.", field="view")
        return cls(text or "active")


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiverLine:
    """One waiver at a time. `revoked_by` is empty if it was not revoked."""

    uid: uuid.UUID
    waiver: Waiver
    state: WaiverState
    revoked_by: str
    is_deleted: bool

    @property
    def is_active(self) -> bool:
        """Whether it is in effect."""
        return self.state is WaiverState.ACTIVE


@dataclass(frozen=True, slots=True)
class WaiversPage:
    """One page of waivers, the newest first; `next_cursor` None on the last."""

    waivers: tuple[WaiverLine, ...]
    next_cursor: str | None


def waivers_page(view: WaiverView, at: datetime, after: Cursor | None = None) -> WaiversPage:
    """Return a page of the waivers that are active at a time, or of the past ones.

    One statement.
    """
    holds = Q(revoked_at=None, expires_at__gt=at)
    found = _rows().filter(holds if view is WaiverView.ACTIVE else ~holds)
    if after is not None:
        found = found.filter(after.older("granted_at"))
    rows = list(found.order_by("-granted_at", "-pk")[: PAGE + 1])
    cursor = None
    if len(rows) > PAGE:
        rows = rows[:PAGE]
        cursor = str(Cursor(rows[-1].granted_at, rows[-1].pk))
    return WaiversPage(tuple(_lines(rows, at)), cursor)


def waivers_of_version(version: models.ModelVersion, at: datetime) -> tuple[WaiverLine, ...]:
    """Return the last waivers of a version, the newest first; one statement."""
    rows = _rows().filter(version=version).order_by("-granted_at", "-pk")[:OF_VERSION_MAX]
    return tuple(_lines(rows, at))


def waiver_line(uid: uuid.UUID, at: datetime) -> WaiverLine:
    """Return one waiver; one statement.

    Raises:
        NotFound: there is no such waiver.
    """
    row = _rows().filter(uid=uid).first()
    if row is None:
        raise NotFound("There is no such waiver.", what="waiver")
    return next(iter(_lines([row], at)))


def stages_with_policy(version: models.ModelVersion) -> tuple[Stage, ...]:
    """Return the stages ahead of a version that have a policy in force; one statement."""
    policies = PoliciesInForce([version.model_id])
    here = Stage(version.stage)
    return tuple(
        s for s in Stage if is_promotion(here, s) and policies.of(version.model_id, s) is not None
    )


def _rows() -> QuerySet[models.Waiver]:
    return models.Waiver.objects.select_related("version__model", "granted_by", "revoked_by").defer(
        "version__description", "version__model__description"
    )


def _lines(rows: Iterable[models.Waiver], at: datetime) -> Iterable[WaiverLine]:
    for row in rows:
        if row.revoked_at is not None:
            state = WaiverState.REVOKED
        else:
            state = WaiverState.ACTIVE if row.expires_at > at else WaiverState.EXPIRED
        by = ""
        if row.revoked_at is not None:
            by = display_name(row.revoked_by)
        gone = row.version.deleted_at is not None or row.version.model.deleted_at is not None
        yield WaiverLine(
            uid=row.uid, waiver=waiver_record(row), state=state, revoked_by=by, is_deleted=gone
        )
