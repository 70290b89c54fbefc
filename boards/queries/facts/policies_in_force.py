"""The policies in force: of one stage, of the models of a page, and all of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet

from boards import models
from obeya.policy.in_force import guarding_policy
from obeya.policy.policy import PromotionPolicy
from obeya.stages import Stage


@dataclass(frozen=True, slots=True)
class PolicyInForce:
    """A policy, and the row of its revision."""

    policy: PromotionPolicy
    row: models.PolicyRevision

    @property
    def is_own(self) -> bool:
        """Whether it is a model policy, not a default policy."""
        return self.row.model_id is not None

    @property
    def revision(self) -> int:
        """The number of its revision."""
        return self.row.number


class PoliciesInForce:
    """The policies that apply to the versions of some models, of `stage` or of every stage.

    One statement.
    """

    def __init__(self, model_ids: Collection[int], stage: Stage | None = None) -> None:
        rows = revisions_in_force().filter(Q(model__in=model_ids) | Q(model=None))
        if stage is not None:
            rows = rows.filter(stage=stage.value)
        self._in_force = {
            (row.model_id, row.stage): PolicyInForce(
                PromotionPolicy.from_document(row.document), row
            )
            for row in rows
        }

    def of(self, model_id: int | None, stage: Stage) -> PolicyInForce | None:
        """Return the model policy of a stage, else the default policy, else None."""
        return guarding_policy(
            self._in_force.get((model_id, stage.value)), self._in_force.get((None, stage.value))
        )

    def row_of(self, model_id: int | None, stage: Stage) -> models.PolicyRevision | None:
        """Return the revision of the policy that `of` returns."""
        found = self.of(model_id, stage)
        return found.row if found else None

    @property
    def all(self) -> Iterable[PromotionPolicy]:
        """Every policy in force."""
        return [found.policy for found in self._in_force.values()]

    def has_any(self, kind: type) -> bool:
        """Return whether some policy has a requirement of this kind."""
        return any(isinstance(r, kind) for policy in self.all for r in policy.requirements)

    @property
    def metric_names(self) -> set[str]:
        """Every metric that some policy refers to."""
        return {
            requirement.metric
            for policy in self.all
            for requirement in policy.evidence_requirements
            if requirement.metric
        }


def policy_in_force(model: models.RegisteredModel | None, stage: Stage) -> PolicyInForce | None:
    """Return the policy for `stage` of a model, or (None) the default policy; one statement."""
    model_id = model.pk if model else None
    return PoliciesInForce([] if model_id is None else [model_id], stage).of(model_id, stage)


def policies_of(model: models.RegisteredModel) -> tuple[tuple[Stage, PolicyInForce | None], ...]:
    """Return the policy for each stage of a model; one statement."""
    policies = PoliciesInForce([model.pk])
    return tuple((stage, policies.of(model.pk, stage)) for stage in Stage if stage.is_gated)


def policies_in_force(
    within: Q | None = None,
) -> list[tuple[str | None, PolicyInForce]]:
    """Return the default policies, with None, then model policies with names, by name and stage.

    `within` limits the model policies to some models; None means all. One statement.
    """
    rows = revisions_in_force().filter(model__deleted_at=None)
    # An empty condition matches everything, but “or” would ignore it.
    if within:
        rows = rows.filter(Q(model=None) | within)
    found = [
        (
            row.model.name if row.model else None,
            PolicyInForce(PromotionPolicy.from_document(row.document), row),
        )
        for row in rows.select_related("model")
    ]
    return sorted(found, key=lambda each: _place(*each))


def _place(model: str | None, found: PolicyInForce) -> tuple[bool, str, int]:
    return model is not None, model or "", Stage(found.row.stage).position


def revisions_in_force() -> QuerySet[models.PolicyRevision]:
    """Return the revisions in force, of models and of the whole registry."""
    return models.PolicyRevision.objects.filter(superseded_at=None)


def has_own_policy(model: str, stage: Stage | OuterRef | None = None) -> Exists:
    """Return whether a row's model has a model policy for `stage`, or (None) for any stage.

    Otherwise the default policy applies. `model` is the path from the row to the model's id.
    """
    own = revisions_in_force().filter(model=OuterRef(model))
    if stage is not None:
        own = own.filter(stage=stage.value if isinstance(stage, Stage) else stage)
    return Exists(own)


def in_scope(prefix: str, stage: Stage, model: models.RegisteredModel | None) -> Q:
    """Return the condition that the draft applies to the model at `prefix`, deleted or not."""
    if model is not None:
        return Q(**{prefix: model})
    return Q(~has_own_policy(prefix, stage))
