"""The board: four columns of cards, with a fixed number of statements for any number of cards."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.conf import settings
from django.db.models import Q, QuerySet, Sum

from boards import models
from boards.access.actors import owner_name
from boards.queries.facts.evidence import MoveFacts
from boards.queries.facts.governed_aliases import AliasLine, alias_lines
from boards.queries.facts.policies_in_force import PoliciesInForce
from boards.queries.facts.records import definitions, metric_records
from boards.queries.metrics.champion_comparison import MeasuredMetric, measured
from boards.queries.paging.keyset import Cursor
from boards.queries.policies.limits import StageLimit, column_limits
from boards.queries.search.board_filter import BoardFilter
from obeya.errors import RefusalKind
from obeya.policy.results import Mode
from obeya.stages import Stage
from obeya.transitions.judge import TransitionJudgement, judge_transition

PAGE = 50
COUNT_CAP = 10_000
HEADLINES = 2


class Lamp(StrEnum):
    """Whether the version would pass into its next stage.

    Each value has its own shape on the card.
    """

    PASSES = "passes"
    ATTENTION = "attention"
    FAILS = "fails"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Reason:
    """One sentence that explains a status; `requirement` is the failed one, if it is about one."""

    sentence: str
    requirement: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One version on the board. `champion` is the number of its model's champion, if any.

    `aliases` are its governed aliases. `lamp_reasons` explain the status; empty if there is no next
    stage to check. `is_breached`: an alert is raised for it. `is_unchecked`: an import placed it in
    its stage, and no policy was checked.
    """

    pk: int
    model: str
    number: int
    label: str
    stage: Stage
    revision: int
    owner: str
    stage_entered_at: datetime
    metrics: tuple[MeasuredMetric, ...]
    champion: int | None
    aliases: tuple[AliasLine, ...]
    lamp: Lamp
    lamp_text: str
    lamp_reasons: tuple[Reason, ...]
    approvals_given: int
    approvals_required: int
    is_breached: bool
    is_unchecked: bool

    @property
    def is_champion(self) -> bool:
        """Whether this version is its model's champion."""
        return self.champion == self.number

    @property
    def is_compared(self) -> bool:
        """Whether at least one of its metrics has a difference from the champion."""
        return any(metric.diff is not None for metric in self.metrics)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One stage: its number of versions and one page of their cards.

    `count` is exact, or `COUNT_CAP` with `count_is_capped` if a filter matches more. `limits` are
    the WIP limits that are shown with it. `next_cursor` leads to the following page, None on the
    last.
    """

    stage: Stage
    count: int
    count_is_capped: bool
    limits: tuple[StageLimit, ...]
    cards: tuple[Card, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Board:
    """The whole board under a filter."""

    columns: tuple[Column, ...]
    filter: BoardFilter

    @property
    def count(self) -> int:
        """The number of versions in all columns; a lower bound if `count_is_capped`."""
        return sum(column.count for column in self.columns)

    @property
    def count_is_capped(self) -> bool:
        """Whether the count of at least one column is capped."""
        return any(column.count_is_capped for column in self.columns)


def board(board_filter: BoardFilter) -> Board:
    """Return the first page of every column, the versions that entered last first."""
    pages = {stage: _page(board_filter, stage, None) for stage in Stage}
    counts = stage_counts(board_filter)
    limits = column_limits(board_filter)
    rows = [row for page, _ in pages.values() for row in page]
    cards = {card.pk: card for card in _cards(rows)}
    return Board(
        tuple(
            Column(
                stage=stage,
                count=count,
                count_is_capped=count_is_capped,
                limits=limits[stage],
                cards=tuple(cards[row.pk] for row in page),
                next_cursor=cursor,
            )
            for stage, (page, cursor) in pages.items()
            for count, count_is_capped in [counts[stage]]
        ),
        board_filter,
    )


def column_page(
    board_filter: BoardFilter, stage: Stage, after: Cursor | None
) -> tuple[tuple[Card, ...], str | None]:
    """Return the next page of one column, and the cursor of the one after it."""
    rows, cursor = _page(board_filter, stage, after)
    return tuple(_cards(rows)), cursor


def stage_counts(board_filter: BoardFilter) -> Mapping[Stage, tuple[int, bool]]:
    """Return the number of versions in each stage under the filter, and whether it is capped."""
    counts = _counts(board_filter)
    if board_filter.only_model:
        return {stage: (count, False) for stage, count in counts.items()}
    return {stage: (min(n, COUNT_CAP), n > COUNT_CAP) for stage, n in counts.items()}


def cards_of(
    model_id: int, moved: int, others: Sequence[int], board_filter: BoardFilter
) -> list[Card]:
    """Return the cards to show after a move, by the numbers of versions, without deleted ones.

    `others` are included only if they match the filter; the version that was moved is always
    included. The number of statements does not grow with `others`.
    """
    versions = models.ModelVersion.objects.filter(model=model_id, number__in=others)
    matching = board_filter.apply(versions).values("pk")
    shown = _versions().filter(Q(number=moved) | Q(pk__in=matching), model=model_id)
    rows = {row.number: row for row in shown}
    return list(_cards([rows[number] for number in (moved, *others) if number in rows]))


def remarked_versions(model_id: int, stages: Iterable[Stage], moved: Collection[int]) -> list[int]:
    """Return the versions whose champion mark or governed aliases the move of others changed.

    That is the version that entered each of the `stages` last, apart from those that `moved`. One
    statement for each stage.
    """
    there = models.ModelVersion.objects.filter(model=model_id, deleted_at=None)
    there = there.exclude(number__in=moved).order_by("-stage_entered_at", "-pk")
    return [
        number
        for stage in stages
        for number in there.filter(stage=stage.value).values_list("number", flat=True)[:1]
    ]


def _versions() -> QuerySet[models.ModelVersion]:
    return (
        models.ModelVersion.objects.filter(deleted_at=None)
        .select_related("model", "model__champion", "owner")
        .defer("description", "model__description", "model__champion__description")
    )


def _page(
    board_filter: BoardFilter, stage: Stage, after: Cursor | None
) -> tuple[list[models.ModelVersion], str | None]:
    rows = board_filter.apply(_versions().filter(stage=stage.value))
    if after is not None:
        rows = rows.filter(after.older("stage_entered_at"))
    page = list(rows.order_by("-stage_entered_at", "-pk")[: PAGE + 1])
    if len(page) <= PAGE:
        return page, None
    last = page[PAGE - 1]
    return page[:PAGE], str(Cursor(last.stage_entered_at, last.pk))


def _counts(board_filter: BoardFilter) -> dict[Stage, int]:
    """Return exact counts from the models' counters if possible, else count up to the cap + 1."""
    if board_filter.only_model:
        rows = models.RegisteredModel.objects.filter(deleted_at=None)
        if board_filter.model:
            rows = rows.filter(name=board_filter.model)
        sums = rows.aggregate(**{stage.value: Sum(f"{stage.value}_count") for stage in Stage})
        return {stage: sums[stage.value] or 0 for stage in Stage}
    versions = models.ModelVersion.objects.filter(deleted_at=None)
    return {
        stage: board_filter.apply(versions.filter(stage=stage.value))[: COUNT_CAP + 1].count()
        for stage in Stage
    }


def _cards(rows: Sequence[models.ModelVersion]) -> Iterable[Card]:
    """Yield cards with their metrics and status; a fixed number of statements for any rows."""
    policies = PoliciesInForce({row.model_id for row in rows})
    headlines = {row.model_id: _headlines(row.model, policies) for row in rows}
    # A model without headline metrics shows its first metrics by name, so all must be read.
    named = all(headlines.values())
    facts = MoveFacts(rows, policies, shown=set().union(*headlines.values()) if named else None)
    breached = _breached(rows)
    aliases = alias_lines(models.Alias.objects.filter(version__in=[row.pk for row in rows]))
    for row in rows:
        own = facts.metrics.get(row.pk, {})
        champion_id = row.model.champion_id
        standing = facts.metrics.get(champion_id or 0, {}) if champion_id != row.pk else None
        following = Stage(row.stage).next
        judgement = judge_transition(facts.of(row, following)) if following else None
        makes_room = (
            following is not None
            and judgement is not None
            and judgement.refused_by(RefusalKind.WIP_LIMIT)
            and judge_transition(facts.of(row, following, archive_existing=True)).allowed
        )
        lamp, lamp_text, lamp_reasons = _lamp(row, judgement, makes_room=makes_room)
        if row.pk in breached:
            lamp, lamp_text = Lamp.FAILS, f"{lamp_text}, alert"
            lamp_reasons = (*lamp_reasons, Reason("A guardrail is breached."))
        names = headlines[row.model_id] or tuple(sorted(own)[:HEADLINES])
        yield Card(
            pk=row.pk,
            model=row.model.name,
            number=row.number,
            label=row.label,
            stage=Stage(row.stage),
            revision=row.revision,
            owner=owner_name(row.owner),
            stage_entered_at=row.stage_entered_at,
            metrics=tuple(measured(name, own, standing or {}, facts.definitions) for name in names),
            champion=row.model.champion.number if row.model.champion else None,
            aliases=tuple(line for line in aliases.get(row.pk, ()) if line.governed),
            lamp=lamp,
            lamp_text=lamp_text,
            lamp_reasons=lamp_reasons,
            approvals_given=judgement.approvals_given if judgement else 0,
            approvals_required=judgement.approvals_required if judgement else 0,
            is_breached=row.pk in breached,
            is_unchecked=row.imported_unchecked,
        )


def _breached(rows: Iterable[models.ModelVersion]) -> set[int]:
    """Return the ids of the versions with a raised alert; one statement."""
    raised = models.Andon.objects.filter(version__in=[row.pk for row in rows], cleared_at=None)
    return set(raised.values_list("version_id", flat=True))


def headlines_of(
    rows: Sequence[models.RegisteredModel],
) -> dict[int, tuple[MeasuredMetric, ...]]:
    """Return the headline metrics of the models' champions, by model id; three statements.

    Models without a champion are left out. Each row's `champion` must have been fetched with it.
    """
    policies = PoliciesInForce({row.pk for row in rows})
    defined = definitions()
    metrics = metric_records(row.champion_id for row in rows if row.champion_id)
    found = {}
    for row in rows:
        if row.champion_id:
            own = metrics.get(row.champion_id, {})
            names = _headlines(row, policies) or tuple(sorted(own)[:HEADLINES])
            found[row.pk] = tuple(measured(name, own, {}, defined) for name in names)
    return found


def leading_metrics(model: models.RegisteredModel) -> tuple[str, ...]:
    """Return the model's headline metrics, then those that its policies refer to; one statement."""
    policies = PoliciesInForce({model.pk})
    found = [policies.of(model.pk, stage) for stage in reversed(Stage) if stage.is_gated]
    required = (
        requirement.metric
        for each in found
        if each
        for requirement in each.policy.evidence_requirements
        if requirement.metric
    )
    return tuple(dict.fromkeys((*_headlines(model, policies), *required)))


def _headlines(model: models.RegisteredModel, policies: PoliciesInForce) -> tuple[str, ...]:
    """Return the model's headline metrics, else the default, else its Production policy's first."""
    if model.headline_metrics:
        return tuple(model.headline_metrics)
    if settings.OBEYA_HEADLINE_METRICS:
        return tuple(settings.OBEYA_HEADLINE_METRICS)
    found = policies.of(model.pk, Stage.PRODUCTION)
    names = (r.metric for r in found.policy.requirements if r.metric) if found else ()
    return tuple(dict.fromkeys(names))[:HEADLINES]


def _lamp(
    row: models.ModelVersion, judgement: TransitionJudgement | None, *, makes_room: bool
) -> tuple[Lamp, str, tuple[Reason, ...]]:
    """Return the status, its words on the card, and its reasons.

    `makes_room`: the next stage is full, and archiving the model's versions there would be enough.
    """
    if judgement is None:
        if row.model.champion_id == row.pk:
            return Lamp.ATTENTION if row.imported_unchecked else Lamp.PASSES, "Champion", ()
        if row.stage == Stage.PRODUCTION:
            return Lamp.NONE, "In Production", ()
        return Lamp.NONE, "Archived", ()
    policy_result, where = judgement.policy_result, judgement.to_stage.label
    if policy_result is not None and policy_result.failures and policy_result.mode is Mode.ENFORCE:
        count = len(policy_result.failures)
        word = "requirement" if count == 1 else "requirements"
        reasons = tuple(Reason(o.sentence, o.requirement) for o in policy_result.failures)
        return Lamp.FAILS, f"Fails {count} {word}", reasons
    if judgement.refused_by(RefusalKind.WIP_LIMIT):
        return _full_lamp(row, judgement, makes_room=makes_room)
    if policy_result is None or not policy_result.has_policy:
        return Lamp.NONE, "No policy", (Reason(f"No promotion policy is set for {where}."),)
    result = Reason(judgement.sentence)
    missing = judgement.approvals_required - judgement.approvals_given
    if missing > 0 and policy_result.mode is Mode.ENFORCE:
        needed = "approval" if missing == 1 else f"{missing} approvals"
        return Lamp.ATTENTION, f"Passes, needs {needed}", (result,)
    if judgement.warnings:
        warnings = tuple(Reason(str(warning)) for warning in judgement.warnings)
        return Lamp.ATTENTION, "Ready with warning", warnings
    if policy_result.waived:
        return Lamp.ATTENTION, "Ready with waiver", (result,)
    return Lamp.PASSES, f"Ready for {where}", (result,)


def _full_lamp(
    row: models.ModelVersion, judgement: TransitionJudgement, *, makes_room: bool
) -> tuple[Lamp, str, tuple[Reason, ...]]:
    full = tuple(Reason(str(r)) for r in judgement.refusals if r.kind is RefusalKind.WIP_LIMIT)
    if makes_room:
        more = Reason(f"Archive the versions of {row.model.name} there in the same move.")
        return Lamp.ATTENTION, "Needs archiving", (*full, more)
    return Lamp.FAILS, f"{judgement.to_stage.label} is full", full
