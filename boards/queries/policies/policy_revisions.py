"""The revisions of a stage's policy, each with its changes, and comparisons of two of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from boards import models
from boards.access.actors import display_name
from boards.queries.facts.records import find_model
from boards.queries.policies.waived_lines import WaivedLine, waived_lines
from obeya.errors import NotFound
from obeya.policy.bounds import number_text
from obeya.policy.diff import PolicyDiff, diff_policies
from obeya.policy.policy import PromotionPolicy
from obeya.stages import Stage

PAGE = 50
GATED = tuple(stage for stage in Stage if stage.is_gated)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One revision. `changes` is the difference from the one before; None for the first."""

    number: int
    policy: PromotionPolicy
    created_at: datetime
    created_by: str
    superseded_at: datetime | None
    changes: PolicyDiff | None = None

    @property
    def requirements(self) -> tuple[str, ...]:
        """The requirements in words, without coverage and approvals."""
        return tuple(requirement.describe() for requirement in self.policy.requirements)

    @property
    def coverage(self) -> str:
        """The minimum test coverage in words; empty if there is none."""
        floor = self.policy.min_test_coverage
        return "" if floor is None else f"test coverage ≥ {number_text(floor)}"

    @property
    def approvals(self) -> str:
        """The approvals in words; empty if none are required."""
        count = self.policy.required_approvals
        return "" if not count else f"{count} {'approval' if count == 1 else 'approvals'}"

    @property
    def lines(self) -> tuple[str, ...]:
        """Everything that the revision requires, one line each."""
        return self.policy.lines


@dataclass(frozen=True, slots=True)
class ComparedRevisions:
    """Two revisions and their difference; the older of them is always `old`."""

    old: Revision
    new: Revision
    diff: PolicyDiff


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionsPage:
    """A page of the revisions of a stage's policy, the newest first.

    `model` is None for a default policy. `next_before` is the number before which the next page
    starts, None on the last. `compared` is None if there are no two revisions. `waived` is the
    number of active waivers of each requirement.
    """

    stage: Stage
    model: str | None
    revisions: tuple[Revision, ...]
    next_before: int | None
    compared: ComparedRevisions | None
    waived: tuple[WaivedLine, ...]

    @property
    def can_compare(self) -> bool:
        """Whether there are two revisions to choose."""
        return self.compared is not None or len(self.revisions) > 1


def gated_stage(text: str) -> Stage:
    """Return the stage of a URL.

    Raises:
        NotFound: the stage takes no policy.
    """
    gated = next((stage for stage in GATED if stage.value == text.lower()), None)
    if gated is None:
        raise NotFound(
            f"There are no policies for “{text[:64]}”, only for Staging and Production.",
            what="policy",
        )
    return gated


def revisions_page(
    stage: str,
    name: str | None,
    at: datetime,
    *,
    before: int | None = None,
    pair: tuple[int, int] | None = None,
) -> RevisionsPage:
    """Return the revisions for one model or (None) of the default policy; at most five statements.

    `pair` are the numbers of the two to compare; None means the newest and the one before it.

    Raises:
        NotFound: there is no such model or revision, or the stage takes no policy.
    """
    gated = gated_stage(stage)
    model = None if name is None else find_model(name)
    stored = revision_rows(model, gated)
    listed = stored if before is None else stored.filter(number__lt=before)
    rows = list(listed.order_by("-number")[: PAGE + 1])
    revisions = with_changes(rows)
    waived = waived_lines(at, gated).get(model.pk if model else None, Counter())
    policy = next((r.policy for r in revisions if r.superseded_at is None), None)
    if policy is None and before is not None:
        found = stored.filter(superseded_at=None).first()
        policy = revision_of(found).policy if found else None
    return RevisionsPage(
        stage=gated,
        model=model.name if model else None,
        revisions=revisions[:PAGE],
        next_before=rows[PAGE - 1].number if len(rows) > PAGE else None,
        compared=_compared(stored, pair, revisions, is_newest=before is None),
        waived=WaivedLine.of(policy, waived),
    )


def revision_rows(
    model: models.RegisteredModel | None, stage: Stage
) -> QuerySet[models.PolicyRevision]:
    """Return the stored revisions of a stage's policy, with their authors."""
    rows = models.PolicyRevision.objects.filter(model=model, stage=stage.value)
    return rows.select_related("created_by")


def with_changes(rows: list[models.PolicyRevision]) -> tuple[Revision, ...]:
    """Return revisions, newest first, each with its changes; the last row has none before it."""
    older = [*rows[1:], None][: len(rows)]
    return tuple(revision_of(row, before) for row, before in zip(rows, older, strict=True))


def revision_of(
    row: models.PolicyRevision, before: models.PolicyRevision | None = None
) -> Revision:
    """Return a stored revision, with its changes if the one before is given."""
    policy = PromotionPolicy.from_document(row.document)
    changes = None
    if before is not None:
        changes = diff_policies(PromotionPolicy.from_document(before.document), policy)
    return Revision(
        number=row.number,
        policy=policy,
        created_at=row.created_at,
        created_by=display_name(row.created_by),
        superseded_at=row.superseded_at,
        changes=changes,
    )


def _compared(
    stored: QuerySet[models.PolicyRevision],
    pair: tuple[int, int] | None,
    revisions: tuple[Revision, ...],
    *,
    is_newest: bool,
) -> ComparedRevisions | None:
    if pair is None:
        if not is_newest or len(revisions) < 2:
            return None
        new, old = revisions[:2]
    else:
        found = {row.number: revision_of(row) for row in stored.filter(number__in=pair)}
        for number in pair:
            if number not in found:
                raise NotFound(f"There is no revision {number} of this policy.", what="revision")
        old, new = (found[number] for number in sorted(pair))
    return ComparedRevisions(old, new, diff_policies(old.policy, new.policy))
