"""Guardrails and live metrics in memory. The caller holds the registry's lock."""

from __future__ import annotations

from dataclasses import replace

from obeya import names
from obeya.audit.chain import SYSTEM_ACTOR
from obeya.errors import InvalidInput, NotFound
from obeya.look_alikes.new_names import NameKind, NewNames
from obeya.memory.moves import rollback
from obeya.memory.rows import Model, last_entered
from obeya.memory.store import MemoryStore
from obeya.metrics import finite
from obeya.records import Action, Channel
from obeya.stages import Stage
from obeya.transitions.guardrails import Guardrail, LiveReport


def set_guardrail(store: MemoryStore, name: str, guardrail: Guardrail) -> None:
    """Set the guardrail of a metric, and clear the alert of the previous one."""
    model = store.model(name)
    present = model.guardrails.get(guardrail.metric)
    if present is None:
        NewNames(NameKind.METRIC).check(guardrail.metric)
    if present != guardrail:
        model.guardrails[guardrail.metric] = guardrail
        store.append(model.chain, Action.GUARDRAIL_SET, data=guardrail.to_document())
        store.clear_andons(model, metric=guardrail.metric)


def remove_guardrail(store: MemoryStore, name: str, metric: str) -> None:
    """Remove the guardrail of a metric, and clear its alert."""
    stored = names.stored_form(metric)
    model = store.model(name)
    if model.guardrails.pop(stored, None) is None:
        raise NotFound(f"{model.name} has no guardrail for “{metric}”.", what="guardrail")
    store.append(model.chain, Action.GUARDRAIL_REMOVED, data={"metric": stored})
    store.clear_andons(model, metric=stored)


def report_live_metric(
    store: MemoryStore, name: str, metric: str, value: float, version: int | None
) -> LiveReport:
    """Compare a live value with its guardrail: raise or clear the alert, or roll back."""
    metric = names.metric_name(metric)
    value = finite(value, what=f"The live value of “{metric}”")
    model = store.model(name)
    number = _live_version(store, model, version)
    guardrail = model.guardrails.get(metric)
    report = LiveReport(
        model=model.name,
        version=number,
        metric=metric,
        value=value,
        reported_at=store.now(model.chain),
        guardrail=guardrail,
    )
    if guardrail is None:
        NewNames(NameKind.METRIC).check(metric)
        return report
    if not report.breached:
        store.clear_andons(model, number, metric)
        return report
    if (number, metric) in model.andons:
        return report
    model.andons.append((number, metric))
    data = {"guardrail": guardrail.to_document(), "value": value}
    store.append(model.chain, Action.ANDON_RAISED, version=number, data=data)
    if not guardrail.auto_rollback or len(model.entered[Stage.PRODUCTION]) > 1:
        return report
    system = store.acting_as(SYSTEM_ACTOR, Channel.GUARDRAIL)
    try:
        moved = rollback(system, model.name, None, report.sentence)
    except InvalidInput:
        return report
    return replace(report, rolled_back_to=moved.version)


def _live_version(store: MemoryStore, model: Model, version: int | None) -> int:
    if version is None:
        champion = last_entered(model, Stage.PRODUCTION)
        if champion is None:
            raise InvalidInput(f"{model.name} has no version in Production.", field="version")
        return champion
    _, found = store.find(model.name, version)
    if found.stage is not Stage.PRODUCTION:
        raise InvalidInput(f"{found} is not in Production.", field="version")
    return found.version
