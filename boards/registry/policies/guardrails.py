"""Writes to guardrails, and the effects of live values."""

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
from obeya.look_alikes.new_names import NameKind, NewNames
from obeya.metrics import finite
from obeya.policy.bounds import Comparison
from obeya.records import Action
from obeya.stages import Stage
from obeya.transitions.guardrails import Guardrail, LiveReport


def set_guardrail(*, name: str, guardrail: Guardrail, actor: Actor, at: datetime) -> None:
    """Set the limit of a live metric of the Production version; one guardrail for each metric.

    The same guardrail again writes nothing. A different one clears the alerts that the earlier one
    raised: the next value is judged again.

    Raises:
        NotAllowed: the actor does not have the edit_policy permission or, if the guardrail rolls
            back automatically or did so until now, the promote permission.
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
        if present is None:
            write.check_name(_live_metrics(write.model), guardrail.metric)
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
    """Remove a guardrail, and clear the alerts that it raised.

    Raises:
        NotAllowed: the actor does not have the edit_policy permission or, if the guardrail rolls
            back automatically, the promote permission.
        NotFound: the metric has no guardrail.
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
    """Report a live value of a version in Production (None: of the champion).

    The last value is stored. A value that breaches the guardrail raises an alert (andon), once; a
    value within the limit clears it. A guardrail with automatic rollback then rolls back, with the
    guardrail as the actor, if no other version is in Production: with several, people decide which
    one to replace.

    Raises:
        NotAllowed: the actor does not have the register permission or, if the guardrail rolls back
            automatically, the promote permission.
        InvalidInput: the version is not in Production, or no version is, or the value is not
            finite.
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
        write.check_name(_live_metrics(write.model), metric)
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
                # No version to roll back to: the alert stays raised.
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


def _live_metrics(model: models.RegisteredModel) -> NewNames:
    """Return the check of names of live metrics; those in use in the model are not refused."""

    def is_in_use(metric: str) -> bool:
        guarded = models.Guardrail.objects.filter(model=model, metric=metric)
        reported = models.LiveValue.objects.filter(version__model=model, metric=metric)
        return guarded.exists() or reported.exists()

    return NewNames(NameKind.METRIC, is_in_use=is_in_use)
