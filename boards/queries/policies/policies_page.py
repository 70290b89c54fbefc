"""The policies in force, and one policy with its revisions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from boards import models
from boards.queries.facts.policies_in_force import has_own_policy, revisions_in_force
from boards.queries.facts.records import find_model
from boards.queries.metrics.metric_names import metric_names
from boards.queries.policies.policy_revisions import (
    GATED,
    Revision,
    gated_stage,
    revision_of,
    revision_rows,
    with_changes,
)
from boards.queries.policies.waived_lines import WaivedLine, waived_lines
from obeya.policy.policy import PromotionPolicy
from obeya.stages import Stage

MODELS_PAGE = 50
REVISIONS_MAX = 5


@dataclass(frozen=True, slots=True)
class StagePolicy:
    """The policy of a stage; `revision` is None if none is set.

    `asks` are its requirements, each with the number of its active waivers.
    """

    stage: Stage
    revision: Revision | None
    asks: tuple[WaivedLine, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelPolicies:
    """The model policies of a model, in the order of the stages."""

    model: str
    policies: tuple[StagePolicy, ...]


@dataclass(frozen=True, slots=True)
class PoliciesPage:
    """The default policies, one for each gated stage, and a page of models with model policies.

    `next_after` is the model name after which the next page starts, None on the last.
    """

    site: tuple[StagePolicy, ...]
    own: tuple[ModelPolicies, ...]
    next_after: str | None

    @property
    def is_empty(self) -> bool:
        """Whether no default policy was ever set."""
        return all(policy.revision is None for policy in self.site)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyEditor:
    """One policy with the content of its form.

    `revisions` are the newest of them. `site` is the revision of the default policy that a model
    policy replaces.
    """

    stage: Stage
    model: str | None
    revisions: tuple[Revision, ...]
    site: Revision | None
    metric_names: tuple[str, ...]

    @property
    def in_force(self) -> Revision | None:
        """The revision in force, None if none was set, or the last was removed."""
        newest = self.revisions[0] if self.revisions else None
        return newest if newest and newest.superseded_at is None else None

    @property
    def number(self) -> int:
        """The number of the revision in force, 0 if there is none."""
        return self.in_force.number if self.in_force else 0

    @property
    def start(self) -> PromotionPolicy:
        """The initial policy of the form: the one in force, else the default, else an empty one."""
        source = self.in_force or self.site
        return source.policy if source else PromotionPolicy(self.stage)


def policies_page(at: datetime, after: str = "") -> PoliciesPage:
    """Return the policies in force; `after` is the model name to continue from. Five statements."""
    site = {
        row.stage: revision_of(row)
        for row in revisions_in_force().filter(model=None).select_related("created_by")
    }
    page = list(
        models.RegisteredModel.objects.filter(has_own_policy("pk"), deleted_at=None, name__gt=after)
        .order_by("name")
        .only("name")[: MODELS_PAGE + 1]
    )
    shown = page[:MODELS_PAGE]
    found = {
        (row.model_id, row.stage): revision_of(row)
        for row in revisions_in_force().filter(model__in=shown).select_related("created_by")
    }
    waived = {stage: waived_lines(at, stage) for stage in GATED}

    def asked(model: int | None, stage: Stage, revision: Revision | None) -> StagePolicy:
        lines = waived[stage].get(model, Counter())
        policy = revision.policy if revision else None
        return StagePolicy(stage, revision, WaivedLine.of(policy, lines))

    return PoliciesPage(
        tuple(asked(None, stage, site.get(stage.value)) for stage in GATED),
        tuple(
            ModelPolicies(
                model.name,
                tuple(
                    asked(model.pk, stage, found[model.pk, stage.value])
                    for stage in GATED
                    if (model.pk, stage.value) in found
                ),
            )
            for model in shown
        ),
        shown[-1].name if len(page) > MODELS_PAGE else None,
    )


def policy_editor(stage: str, name: str | None = None) -> PolicyEditor:
    """Return the policy of a stage for one model or (None) by default; at most five statements.

    Raises:
        NotFound: there is no such model, or a stage that takes no policy.
    """
    gated = gated_stage(stage)
    model = None if name is None else find_model(name)
    rows = list(revision_rows(model, gated).order_by("-number")[: REVISIONS_MAX + 1])
    site = None
    if model is not None:
        found = (
            revisions_in_force().filter(model=None, stage=gated.value).select_related("created_by")
        )
        site = next((revision_of(row) for row in found), None)
    return PolicyEditor(
        stage=gated,
        model=model.name if model else None,
        revisions=with_changes(rows)[:REVISIONS_MAX],
        site=site,
        metric_names=metric_names(),
    )
