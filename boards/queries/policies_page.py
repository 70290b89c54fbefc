"""The policies in force, and one policy with its revisions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet

from boards import models
from boards.queries.history import NOBODY
from boards.queries.metric_names import metric_names
from boards.queries.records import find_model
from obeya.errors import NotFound
from obeya.policies import PromotionPolicy, number_text
from obeya.stages import Stage

MODELS_PAGE = 50
REVISIONS_MAX = 50
GATED = tuple(stage for stage in Stage if stage.is_gated)


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision. `added` and `removed` are its lines that the revision before had not or had.

    `is_first` tells a first revision, which has nothing before it to differ from.
    """

    number: int
    policy: PromotionPolicy
    created_at: datetime
    created_by: str
    superseded_at: datetime | None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    is_first: bool = False

    @property
    def requirements(self) -> tuple[str, ...]:
        """The requirements in words, without coverage and approvals."""
        return tuple(requirement.describe() for requirement in self.policy.requirements)

    @property
    def coverage(self) -> str:
        """The floor for test coverage in words; empty when there is none."""
        floor = self.policy.min_test_coverage
        return "" if floor is None else f"test coverage ≥ {number_text(floor)}"

    @property
    def approvals(self) -> str:
        """The approvals in words; empty when none are needed."""
        count = self.policy.required_approvals
        return "" if not count else f"{count} {'approval' if count == 1 else 'approvals'}"

    @property
    def lines(self) -> tuple[str, ...]:
        """Everything the revision asks for, a line each."""
        return self.policy.lines


@dataclass(frozen=True, slots=True)
class StagePolicy:
    """The policy that guards a stage; `revision` None when none is set."""

    stage: Stage
    revision: Revision | None


@dataclass(frozen=True, slots=True)
class ModelPolicies:
    """The policies that a model has of its own, in the order of the stages."""

    model: str
    policies: tuple[StagePolicy, ...]


@dataclass(frozen=True, slots=True)
class PoliciesPage:
    """The site's policies, one for each gated stage, and a page of models with their own.

    `next_after` is the model name after which the next page starts, None on the last.
    """

    site: tuple[StagePolicy, ...]
    own: tuple[ModelPolicies, ...]
    next_after: str | None

    @property
    def is_empty(self) -> bool:
        """Whether no policy was ever set for the site."""
        return all(policy.revision is None for policy in self.site)


@dataclass(frozen=True, slots=True)
class PolicyEditor:
    """One policy with what its form shows.

    `revisions` are the newest of them, the one in force first; `more_revisions` says that older
    ones were left out. `site` is the site's revision that a model's policy replaces.
    """

    stage: Stage
    model: str | None
    revisions: tuple[Revision, ...]
    more_revisions: bool
    site: Revision | None
    metric_names: tuple[str, ...]

    @property
    def in_force(self) -> Revision | None:
        """The revision in force, None when none was ever set."""
        return self.revisions[0] if self.revisions else None

    @property
    def number(self) -> int:
        """The number of the revision in force, 0 when there is none."""
        return self.in_force.number if self.in_force else 0

    @property
    def start(self) -> PromotionPolicy:
        """What the form starts from: the policy in force, else the site's, else an empty one."""
        source = self.in_force or self.site
        return source.policy if source else PromotionPolicy(self.stage)


def policies_page(after: str = "") -> PoliciesPage:
    """The policies in force; `after` is the model name to go on from. Three statements."""
    site = {
        row.stage: _revision(row)
        for row in _in_force().filter(model=None).select_related("created_by")
    }
    own = models.PolicyRevision.objects.filter(model=OuterRef("pk"), superseded_at=None)
    page = list(
        models.RegisteredModel.objects.filter(Exists(own), deleted_at=None, name__gt=after)
        .order_by("name")
        .only("name")[: MODELS_PAGE + 1]
    )
    shown = page[:MODELS_PAGE]
    found = {
        (row.model_id, row.stage): _revision(row)
        for row in _in_force().filter(model__in=shown).select_related("created_by")
    }
    return PoliciesPage(
        tuple(StagePolicy(stage, site.get(stage.value)) for stage in GATED),
        tuple(
            ModelPolicies(
                model.name,
                tuple(
                    StagePolicy(stage, found[model.pk, stage.value])
                    for stage in GATED
                    if (model.pk, stage.value) in found
                ),
            )
            for model in shown
        ),
        shown[-1].name if len(page) > MODELS_PAGE else None,
    )


def policy_editor(stage: str, name: str | None = None) -> PolicyEditor:
    """The policy of a stage for one model or (None) the site; at most five statements.

    Raises:
        NotFound: no such model, or a stage that takes no policy.
    """
    gated = next((s for s in GATED if s.value == stage.lower()), None)
    if gated is None:
        raise NotFound(
            f"There is no policy for “{stage[:64]}”; only Staging and Production have one.",
            what="policy",
        )
    model = None if name is None else find_model(name)
    rows = list(
        models.PolicyRevision.objects.filter(model=model, stage=gated.value)
        .order_by("-number")
        .select_related("created_by")[: REVISIONS_MAX + 1]
    )
    older = [*rows[1:], None][: len(rows)]
    site = None
    if model is not None:
        found = _in_force().filter(model=None, stage=gated.value).select_related("created_by")
        site = next((_revision(row) for row in found), None)
    return PolicyEditor(
        gated,
        model.name if model else None,
        tuple(_revision(row, before) for row, before in zip(rows, older, strict=True))[
            :REVISIONS_MAX
        ],
        len(rows) > REVISIONS_MAX,
        site,
        metric_names(),
    )


def _in_force() -> QuerySet[models.PolicyRevision]:
    return models.PolicyRevision.objects.filter(superseded_at=None)


def _revision(row: models.PolicyRevision, before: models.PolicyRevision | None = None) -> Revision:
    revision = Revision(
        row.number,
        PromotionPolicy.from_document(row.document),
        row.created_at,
        row.created_by.username if row.created_by else NOBODY,
        row.superseded_at,
        is_first=row.number == 1,
    )
    if before is None:
        return revision
    lines, old = revision.lines, _revision(before).lines
    return Revision(
        revision.number,
        revision.policy,
        revision.created_at,
        revision.created_by,
        revision.superseded_at,
        added=tuple(line for line in lines if line not in old),
        removed=tuple(line for line in old if line not in lines),
    )
