"""Load the demo registry: real models and metrics, with moves by rules on simulated dates.

Everything uses the write path, so boards, histories and audit chains are as if it had happened. The
dates are simulated, because the data contains none.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from random import Random

from django.db import transaction

from boards.access.actors import SYSTEM, Actor
from boards.models import (
    AuditEvent,
    AuditText,
    PolicyRevision,
    User,
)
from boards.models import (
    MetricDefinition as DefinitionRow,
)
from boards.registry.accounts.users import create_user
from boards.registry.catalog.metrics import define_metric
from boards.registry.database import DatabaseRegistry
from boards.registry.policies.policies import set_policy
from obeya.metrics import Direction, MetricDefinition, Scale
from obeya.policy.bounds import Comparison
from obeya.policy.policy import PromotionPolicy
from obeya.records import MOVES, Action, Channel, VersionDraft
from obeya.refusals import TransitionRefused
from obeya.stages import Stage
from registry_site.demo.scenes import play_scenes
from registry_site.demo.timm import METRIC_DEFINITIONS, DemoModel

SPAN = timedelta(days=365)
TO_STAGING = timedelta(days=2)
TO_PRODUCTION = timedelta(days=7)
SHELF_LIFE = timedelta(days=120)

STAGING_POLICY = PromotionPolicy(Stage.STAGING).require_metric(
    "imagenet_top1", Comparison.GTE, 75.0
)
PRODUCTION_POLICY = (
    PromotionPolicy(Stage.PRODUCTION)
    .require_metric("imagenet_top1", Comparison.GTE, 80.0)
    .require_metric("cpu_step_ms", Comparison.LTE, 100.0)
    .require_metric("imagenetv2_top1", Comparison.GTE, 68.0)
    .require_against_champion("imagenet_r_top1", Comparison.GTE, -5.0, in_percent=True)
)

RULES = f"""\
The demo registers real models. Their moves follow these rules, on simulated dates within the last
{SPAN.days} days:
  1. The versions of a model are registered in the order of their ImageNet top-1, lowest first.
  2. About {TO_STAGING.days} days later each version is moved to Staging. The policy requires \
imagenet_top1 ≥ 75.
  3. About {TO_PRODUCTION.days} days after that it is moved to Production. The policy requires
     imagenet_top1 ≥ 80, cpu_step_ms ≤ 100, imagenetv2_top1 ≥ 68 and imagenet_r_top1 at most 5 %
     below the champion's. A version that passes replaces the champion, which is archived.
  4. A version that fails a policy stays in its stage. The refused move is in the audit log. After
     {SHELF_LIFE.days} days the version is archived.
  5. In the last days one model is rolled back, one version gets a waiver, and one move waits for
     an approval."""

TITLES = {
    "imagenet_top1": "top-1",
    "imagenet_top5": "top-5",
    "imagenet_real_top1": "ReaL top-1",
    "imagenetv2_top1": "V2 top-1",
    "imagenet_sketch_top1": "Sketch top-1",
    "imagenet_a_top1": "A top-1",
    "imagenet_r_top1": "R top-1",
    "param_count_m": "params",
    "image_size": "image size",
    "cpu_step_ms": "CPU",
    "gpu_samples_per_s": "GPU",
}


@dataclass(frozen=True, slots=True)
class DemoReport:
    """The number of loaded objects, counted in the log."""

    models: int
    versions: int
    moves: int
    refusals: int


@dataclass(order=True, slots=True)
class _Deed:
    """Something that happens to a version at a time.

    `place` orders what happens at the same time.
    """

    at: datetime
    place: int
    do: Callable[[datetime], None] = field(compare=False)


def load_demo(
    *,
    models: Sequence[DemoModel],
    now: datetime,
    progress: Callable[[Iterator[DemoModel], int], Iterator[DemoModel]],
) -> DemoReport:
    """Load the models that never existed, each in one transaction.

    `now` is the time up to which the demo is simulated. `progress` wraps the iteration over the
    models, given with their number, and can show it. Changes that people made since an earlier call
    are kept: definitions and policies are set only if there are none.
    """
    last = AuditEvent.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    _set_rules(now - SPAN)
    pipeline = _account("pipeline", "contributor", now - SPAN)
    releases = _account("releases", "promoter", now - SPAN)
    reviews = _account("reviews", "approver", now - SPAN)
    known = _names_ever_registered()
    missing = [model for model in models if model.name not in known]
    for model in progress(iter(missing), len(missing)):
        with transaction.atomic():
            _Life(model, pipeline, releases, now).run()
    with transaction.atomic():
        play_scenes(
            now=now,
            policy=PRODUCTION_POLICY,
            pipeline=pipeline,
            releases=releases,
            reviews=reviews,
            registry_of=_registry_at,
        )
    return _report(last)


def _names_ever_registered() -> set[str]:
    """Return the names of all models, including those that were renamed or deleted since."""
    named = AuditText.objects.filter(role="name", event__action=Action.MODEL_REGISTERED.value)
    return set(named.values_list("text", flat=True))


def _report(last: int) -> DemoReport:
    """Return the counts of the events after `last`; a registration is a version, not a move."""
    done = Counter(AuditEvent.objects.filter(pk__gt=last).values_list("action", flat=True))
    return DemoReport(
        models=done[Action.MODEL_REGISTERED.value],
        versions=done[Action.VERSION_REGISTERED.value],
        moves=sum(done[a.value] for a in MOVES if a is not Action.VERSION_REGISTERED),
        refusals=done[Action.TRANSITION_REFUSED.value],
    )


def _account(name: str, group: str, at: datetime) -> User:
    """Return an account without a password, which cannot sign in; create it if it is missing."""
    user = User.objects.filter(username=name).first()
    return user or create_user(username=name, group=group, actor=SYSTEM, at=at)


def _registry_at(user: User | None, at: datetime) -> DatabaseRegistry:
    """Return the registry for an account at a time; None is the registry itself."""
    return DatabaseRegistry(actor=Actor(user, Channel.CLI), clock=lambda: at)


def _set_rules(at: datetime) -> None:
    """Set metric definitions and default policies, if there are none."""
    actor = Actor(None, Channel.CLI)
    defined = set(DefinitionRow.objects.values_list("name", flat=True))
    for definition in METRIC_DEFINITIONS:
        if definition.name in defined:
            continue
        define_metric(
            definition=MetricDefinition(
                name=definition.name,
                direction=Direction(definition.direction),
                unit=definition.unit,
                scale=Scale(definition.scale or ""),
                title=TITLES.get(definition.name, ""),
                description=definition.description,
            ),
            actor=actor,
            at=at,
        )
    ruled = set(PolicyRevision.objects.filter(model=None).values_list("stage", flat=True))
    for policy in (STAGING_POLICY, PRODUCTION_POLICY):
        if policy.stage is not None and policy.stage.value not in ruled:
            set_policy(policy=policy, actor=actor, at=at)


class _Life:
    """The simulated life of one model. The same model and `now` give the same life."""

    def __init__(self, model: DemoModel, pipeline: User, releases: User, now: datetime) -> None:
        self._model = model
        self._now = now
        self._random = Random(model.name)  # noqa: S311 - dates, not secrets
        self._at = now
        self._deeds: list[_Deed] = []
        self._places = count()
        self._pipeline = self._registry(pipeline)
        self._releases = self._registry(releases)

    def run(self) -> None:
        """Do everything that happened up to now, in the order of time."""
        births = sorted(self._now - SPAN * self._random.random() for _ in self._model.versions)
        for version, birth in zip(self._model.versions, births, strict=True):
            self._plan(birth, self._register(version))
        while self._deeds:
            deed = heapq.heappop(self._deeds)
            self._at = deed.at
            deed.do(deed.at)

    def _plan(self, at: datetime, do: Callable[[datetime], None]) -> None:
        if at <= self._now:
            heapq.heappush(self._deeds, _Deed(at, next(self._places), do))

    def _soon(self, at: datetime, about: timedelta) -> datetime:
        return at + about * self._random.uniform(0.5, 1.5)

    def _register(self, version: VersionDraft) -> Callable[[datetime], None]:
        def do(at: datetime) -> None:
            made = self._pipeline.register_model(
                self._model.name,
                version.version,
                version.metrics,
                label=version.label,
                tags=version.tags,
            )
            self._plan(self._soon(at, TO_STAGING), self._ask(made.version, Stage.STAGING))

        return do

    def _ask(self, number: int, stage: Stage) -> Callable[[datetime], None]:
        def do(at: datetime) -> None:
            into_production = stage is Stage.PRODUCTION
            by = self._releases if into_production else self._pipeline
            try:
                by.transition_stage(
                    self._model.name, number, stage, archive_existing=into_production
                )
            except TransitionRefused:
                self._plan(at + SHELF_LIFE, self._retire(number))
                return
            if not into_production:
                later = self._soon(at, TO_PRODUCTION)
                self._plan(later, self._ask(number, Stage.PRODUCTION))

        return do

    def _retire(self, number: int) -> Callable[[datetime], None]:
        def do(_: datetime) -> None:
            self._pipeline.transition_stage(
                self._model.name,
                number,
                Stage.ARCHIVED,
                reason=f"Did not pass within {SHELF_LIFE.days} days.",
            )

        return do

    def _registry(self, user: User) -> DatabaseRegistry:
        return DatabaseRegistry(actor=Actor(user, Channel.CLI), clock=lambda: self._at)
