"""Register, describe, rename and delete models and versions in memory, and log metrics.

The caller holds the registry's lock.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from obeya import names
from obeya.errors import AlreadyExists
from obeya.look_alikes.new_names import NameKind, NewNames, similar_to
from obeya.memory.aliases import point_alias, update_aliases
from obeya.memory.rows import Model, label_names, metric_names, tag_keys
from obeya.memory.store import MemoryStore
from obeya.metrics import metric_document
from obeya.records import Action, ModelVersion, VersionDraft
from obeya.stages import Stage
from obeya.transitions.versions import next_number
from obeya.values import MetricValues, as_metrics, as_tags, version_number


def register_model(store: MemoryStore, draft: VersionDraft) -> ModelVersion:
    """Register a version, and its model if it is new."""
    name = names.model_name(draft.model)
    wanted = None if draft.version is None else version_number(draft.version)
    metrics, tags = as_metrics(draft.metrics), as_tags(draft.tags)
    label, uri = names.label(draft.label), names.artifact_path(draft.artifact_path)
    text, run = names.description(draft.description), names.source_run(draft.source_run)
    digest = names.artifact_digest(draft.artifact_digest)
    model = store.models.get(name) or Model(name)
    number = next_number(model.last_number, wanted, name=name, taken=set(model.versions))
    if label and any(v.label == label for v in model.versions.values()):
        raise AlreadyExists(
            f"{name} already has a version with the label “{label}”.", field="label"
        )
    allow_similar = draft.allow_similar
    similar_models = (
        _similar_models(store, name, allow_similar=allow_similar)
        if name not in store.models
        else []
    )
    similar = {
        what: others
        for what, known, given in (
            ("label", label_names(model), [label] if label else ()),
            ("metrics", metric_names(model), metrics),
            ("tags", tag_keys(model), tags),
        )
        if (others := _similar(known, given, allow_similar=allow_similar))
    }
    now = store.now(model.chain)
    if name not in store.models:
        store.models[name] = model
        store.append(
            model.chain,
            Action.MODEL_REGISTERED,
            texts={"name": name},
            data=similar_to(similar_models),
            at=now,
        )
    version = ModelVersion(
        model=name,
        version=number,
        stage=Stage.DEVELOPMENT,
        revision=1,
        created_at=now,
        stage_entered_at=now,
        label=label,
        measurements=metrics,
        tags=tags,
        artifact_path=uri,
        artifact_digest=digest,
        source_run=run,
        description=text,
        owner=store.actor,
        updated_at=now,
    )
    model.versions[number] = version
    model.entered[Stage.DEVELOPMENT].append(number)
    model.last_number = number
    store.append(
        model.chain,
        Action.VERSION_REGISTERED,
        version=number,
        to_stage=Stage.DEVELOPMENT,
        data={
            "label": label,
            "artifact_uri": uri,
            "artifact_digest": digest,
            "source_run": run,
            "metrics": {n: metric_document(m) for n, m in metrics.items()},
            "tags": dict(tags),
            **similar_to(similar),
        },
        texts={"description": text},
        at=now,
    )
    return store.issued(model, version)


def log_metrics(
    store: MemoryStore, name: str, version: int, metrics: MetricValues, *, allow_similar: bool
) -> ModelVersion:
    """Add metrics to a version, and an event if one of them is new or has a different value."""
    checked = as_metrics(metrics)
    model, found = store.find(name, version)
    old = found.measurements
    changed = {n: m for n, m in checked.items() if old.get(n) != m}
    similar = _similar(metric_names(model, old), changed, allow_similar=allow_similar)
    if changed:
        found = store.replace(model, replace(found, measurements={**old, **changed}))
        logged = {
            n: {"old": metric_document(old[n]) if n in old else None, "new": metric_document(m)}
            for n, m in changed.items()
        }
        store.append(
            model.chain,
            Action.METRICS_LOGGED,
            version=version,
            data={"metrics": logged, **similar_to(similar)},
        )
    return store.issued(model, found)


def set_description(store: MemoryStore, name: str, text: str, version: int | None) -> None:
    """Set the description of a version, or (None) of the model."""
    text = names.description(text)
    model, found = store.find_either(name, version)
    if text == (model.description if found is None else found.description):
        return
    if found is None:
        model.description = text
        action = Action.MODEL_DESCRIBED
    else:
        store.replace(model, replace(found, description=text))
        action = Action.VERSION_DESCRIBED
    store.append(model.chain, action, version=version, texts={"description": text})


def rename_model(store: MemoryStore, name: str, new_name: str, *, allow_similar: bool) -> None:
    """Rename a model and its versions."""
    new_name = names.model_name(new_name)
    model = store.model(name)
    old_name = model.name
    if new_name == old_name:
        return
    if new_name in store.models:
        raise AlreadyExists(f"A model named “{new_name}” already exists.", field="name")
    similar = _similar_models(store, new_name, model, allow_similar=allow_similar)
    store.models[new_name] = store.models.pop(old_name)
    model.name = new_name
    model.versions = {n: replace(v, model=new_name) for n, v in model.versions.items()}
    texts = {"name": new_name, "previous_name": old_name}
    store.append(model.chain, Action.MODEL_RENAMED, texts=texts, data=similar_to(similar))


def _similar_models(
    store: MemoryStore, name: str, renamed: Model | None = None, *, allow_similar: bool
) -> list[str]:
    """Check the new name of a model, and return the ids of the models with similar names."""
    others = (each.name for each in store.models.values() if each is not renamed)
    similar = NewNames(NameKind.MODEL, others).check(name, allow_similar=allow_similar)
    return [store.models[other].chain.uid for other in similar]


def _similar(
    known: NewNames, names_: Iterable[str], *, allow_similar: bool
) -> dict[str, list[str]]:
    """Check new names, and return the similar ones, each with those it is similar to."""
    found = {name: known.check(name, allow_similar=allow_similar) for name in names_}
    return {name: others for name, others in found.items() if others}


def delete_version(store: MemoryStore, name: str, version: int) -> None:
    """Delete a version with its aliases, and close its open requests and alerts."""
    model, found = store.find(name, version)
    del model.versions[found.version]
    model.entered[found.stage].remove(found.version)
    store.append(model.chain, Action.VERSION_DELETED, version=found.version, from_stage=found.stage)
    store.left(model, found.version, None)
    update_aliases(store, model, {found.stage: [found.version]})
    for alias in sorted(a for a, n in model.aliases.items() if n == found.version):
        point_alias(store, model, alias, None)


def delete_model(store: MemoryStore, name: str) -> None:
    """Delete a model with its versions; its chain is kept."""
    model = store.model(name)
    for number in model.versions:
        store.left(model, number, None)
    data = {"aliases": dict(sorted(model.aliases.items()))} if model.aliases else {}
    store.append(model.chain, Action.MODEL_DELETED, data=data)
    store.buried.append(store.models.pop(model.name).chain)
