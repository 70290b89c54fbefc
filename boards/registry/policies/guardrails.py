"""Writes to guardrails, and what live values lead to."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from boards import models
from boards.access.actors import GUARDRAIL, Actor
from boards.access.permissions import Permission
from boards.registry.commit import ModelWrite, writing_model
from boards.registry.transitions.alerts import clear_andons, raise_andon
from boards.registry.transitions.rollback import roll_back
from obeya import names
from obeya.errors import InvalidInput, NotFound
from obeya.metrics import finite
from obeya.policy.bounds import Comparison
from obeya.records import Action
from obeya.stages import Stage
from obeya.transitions.guardrails import Guardrail, LiveReport


def set_guardrail(*, name: str, guardrail: Guardrail, actor: Actor, at: datetime) -> None:
    """Keep a live metric of the Production version within a bound; one for each metric.

    The same guardrail again writes nothing. Another clears what the one before raised: the next
    value is judged anew.

    Raises:
        NotAllowed: the actor may not edit policies or, where the guardrail rolls back by itself
            or did so until now, may not promote.
    """
    actor.require(Permission.EDIT_POLICY, name)
    if guardrail.auto_rollback:
        actor.require(Permission.PROMOTE, name)
    with writing_model(name, actor=actor, at=at) as write:
        present = _guardrail(write, guardrail.metric)
        if present == guardrail:
            return
        if present and present.auto_rollback:
            actor.require(Permission.PROMOTE, name)
        models.Guardrail.objects.update_or_create(
            model=write.model,
            metric=guardrail.metric,
            defaults={
                "comparison": guardrail.comparison.value,
                "bound": guardrail.bound,
                "auto_rollback": guardrail.auto_rollback,
            },
        )
        write.touch()
        write.record(Action.GUARDRAIL_SET, data=guardrail.to_document())
        clear_andons(write, metric=guardrail.metric)


def remove_guardrail(*, name: str, metric: str, actor: Actor, at: datetime) -> None:
    """Take a guardrail away, and clear what it raised.

    Raises:
        NotAllowed: the actor may not edit policies.
        NotFound: the metric has none.
    """
    actor.require(Permission.EDIT_POLICY, name)
    stored = names.stored_form(metric)
    with writing_model(name, actor=actor, at=at) as write:
        present = _guardrail(write, stored)
        if present is None:
            raise NotFound(f"{write.model.name} has no guardrail for “{metric}”.", what="guardrail")
        if present.auto_rollback:
            actor.require(Permission.PROMOTE, name)
        models.Guardrail.objects.filter(model=write.model, metric=stored).delete()
        write.touch()
        write.record(Action.GUARDRAIL_REMOVED, data={"metric": stored})
        clear_andons(write, metric=stored)


def report_live_metric(
    *,
    name: str,
    metric: str,
    value: float,
    version: int | None = None,
    actor: Actor,
    at: datetime,
) -> LiveReport:
    """Report what is measured live of a version in Production (None: of the champion).

    The last value is kept. One beyond the guardrail raises an andon, once, which a value within
    it clears; a guardrail that rolls back does so, as an act of the guardrail, where no other
    version is in Production: which of several is to go, people decide.

    Raises:
        NotAllowed: the actor may not register or, where the guardrail rolls back by itself, may
            not promote.
        InvalidInput: the version is not in Production, or nothing is, or the value is not finite.
    """
    actor.require(Permission.REGISTER, name)
    metric = names.metric_name(metric)
    value = finite(value, what=f"The live value of “{metric}”")
    with writing_model(name, actor=actor, at=at) as write:
        row = _live_version(write, version)
        report = LiveReport(
            model=write.model.name,
            version=row.number,
            metric=metric,
            value=value,
            reported_at=write.at,
            guardrail=_guardrail(write, metric),
        )
        if report.guardrail and report.guardrail.auto_rollback:
            actor.require(Permission.PROMOTE, name)
        models.LiveValue.objects.update_or_create(
            version=row, metric=metric, defaults={"value": value, "reported_at": write.at}
        )
        if report.guardrail is None:
            return report
        if not report.breached:
            clear_andons(write, version=row, metric=metric)
            return report
        is_new = raise_andon(write, row, report.guardrail, value)
        is_alone = write.model.count_in(Stage.PRODUCTION) == 1
        if not is_new or not report.guardrail.auto_rollback or not is_alone:
            return report
        with write.acting_as(GUARDRAIL):
            try:
                moved = roll_back(write, None, report.sentence)
            except InvalidInput:
                # Nothing to go back to: the andon stays raised for people to see.
                return report
        return replace(report, rolled_back_to=moved.version)


def _guardrail(write: ModelWrite, metric: str) -> Guardrail | None:
    row = models.Guardrail.objects.filter(model=write.model, metric=metric).first()
    if row is None:
        return None
    return Guardrail(row.metric, Comparison(row.comparison), row.bound, row.auto_rollback)


def _live_version(write: ModelWrite, version: int | None) -> models.ModelVersion:
    name = write.model.name
    if version is None:
        champion = write.model.champion
        if champion is None:
            raise InvalidInput(f"{name} has no version in Production.", field="version")
        version = champion.number
    row = write.version(version)
    if row.stage != Stage.PRODUCTION.value:
        raise InvalidInput(f"{name} v{row.number} is not in Production.", field="version")
    return row
