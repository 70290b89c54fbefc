"""The endpoints of model versions."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils import timezone

from boards import models
from boards.access.actors import Actor
from boards.access.permissions import Permission
from boards.mlflow_protocol.documents import (
    MODEL_ID_TAG,
    RUN_LINK_TAG,
    SOURCE_TAG,
    Document,
    version_documents,
    with_aliases,
)
from boards.mlflow_protocol.endpoints.artifacts import address_of
from boards.mlflow_protocol.errors import invalid
from boards.mlflow_protocol.filters import VERSIONS, read_filter, read_order
from boards.mlflow_protocol.given import Given
from boards.mlflow_protocol.metric_tags import metric_of_tag, metrics_of_tags
from boards.mlflow_protocol.page_tokens import read_page_token
from boards.mlflow_protocol.runs import source_run
from boards.mlflow_protocol.sources import files_here, original_of
from boards.mlflow_protocol.stages import read_stage
from boards.queries.facts.accounts.visible_models import visible_models
from boards.queries.facts.records import find_model, find_named_version
from boards.queries.search.mlflow_search import cursor_of, search_versions
from boards.registry.artifacts.artifacts import set_artifact
from boards.registry.catalog import labels as label_writes
from boards.registry.catalog.catalog import delete_version, set_description
from boards.registry.catalog.metrics import log_metrics
from boards.registry.catalog.registration import register_version
from boards.registry.transitions import transitions as transition_writes
from boards.registry.unchanged import all_or_nothing
from obeya.errors import NotFound
from obeya.records import VersionDraft
from obeya.stages import Stage
from obeya.transitions.intent import TransitionIntent

RESULTS_MAX = 200_000
RESULTS_DEFAULT = 10_000
PAGE_MAX = 10_000


def create(actor: Actor, given: Given) -> Document:
    """Register the next version of an existing model.

    A version whose source is another version gets the artifact URI and digest of that version.
    Files that are stored here, of that version or of the run, become the new version's files.
    """
    name, source = given.required("name"), given.required("source")
    actor.require(Permission.REGISTER, name)
    tags = given.tags()
    metrics = metrics_of_tags(tags)
    find_model(name)
    original = original_of(source, actor)
    run = source_run(run_id=given.text("run_id"), model_id=given.text("model_id"), source=source)
    ours = {
        RUN_LINK_TAG: given.text("run_link"),
        MODEL_ID_TAG: given.text("model_id"),
        SOURCE_TAG: source if original else "",
    }
    files = files_here(source, original, given.site, actor)
    at = timezone.now()
    with all_or_nothing():
        row = register_version(
            draft=VersionDraft(
                model=name,
                artifact_path=original.artifact_uri if original else source,
                artifact_digest=original.artifact_digest if original else "",
                source_run=run.run_id,
                description=given.text("description"),
                metrics=run.metrics | metrics,
                tags=tags | {key: value for key, value in ours.items() if value},
            ),
            actor=actor,
            at=at,
        )
        if files:
            row = set_artifact(name=name, version=row.number, files=files, actor=actor, at=at)
    return {"model_version": version_documents([row])[0]}


def get(actor: Actor, given: Given) -> Document:
    """Return a version with its tags and aliases."""
    return _answer(_found(actor, given))


def update(actor: Actor, given: Given) -> Document:
    """Set the description of a version."""
    set_description(
        name=given.required("name"),
        version=given.version(),
        text=given.text("description"),
        actor=actor,
        at=timezone.now(),
    )
    return _answer(_found(actor, given))


def transition_stage(actor: Actor, given: Given) -> Document:
    """Move a version, if all rules allow it. A move to its current stage does nothing."""
    stage = read_stage(given.required("stage"))
    archive_existing = given.flag("archive_existing_versions")
    if archive_existing and not stage.is_gated:
        raise invalid(
            "Model version transition cannot archive existing model versions because "
            f"'{given.text('stage')}' is not an Active stage. "
            "Valid stages are ['Staging', 'Production']"
        )
    row = _found(actor, given)
    if Stage(row.stage) is not stage:
        _move(actor, row, stage, archive_existing=archive_existing)
    elif archive_existing:
        with all_or_nothing():
            for other in _others_in_its_stage(row):
                _move(actor, other, Stage.ARCHIVED)
    return _answer(_found(actor, given))


def _move(
    actor: Actor, row: models.ModelVersion, stage: Stage, *, archive_existing: bool = False
) -> None:
    transition_writes.transition_stage(
        name=row.model.name,
        version=row.number,
        intent=TransitionIntent(to_stage=stage, archive_existing=archive_existing),
        actor=actor,
        at=timezone.now(),
    )


def _others_in_its_stage(row: models.ModelVersion) -> Iterable[models.ModelVersion]:
    found = models.ModelVersion.objects.filter(model=row.model_id, stage=row.stage, deleted_at=None)
    return found.exclude(pk=row.pk).select_related("model").order_by("number")


def delete(actor: Actor, given: Given) -> Document:
    """Hide a version. Its number is never used again."""
    delete_version(
        name=given.required("name"), version=given.version(), actor=actor, at=timezone.now()
    )
    return {}


def search(actor: Actor, given: Given) -> Document:
    """Return the versions that match a filter, at most `PAGE_MAX` in one response."""
    actor.require_anywhere(Permission.VIEW)
    order = read_order(given.texts("order_by"), VERSIONS)
    limit = given.limit("max_results", default=RESULTS_DEFAULT, at_most=RESULTS_MAX)
    rows, has_more = search_versions(
        visible_models(actor),
        read_filter(given.text("filter"), VERSIONS),
        order,
        read_page_token(given.text("page_token"), order),
        min(limit, PAGE_MAX),
    )
    answer: Document = {"model_versions": version_documents(rows)}
    if has_more:
        answer["next_page_token"] = cursor_of(rows[-1], order)
    return answer


def get_download_uri(actor: Actor, given: Given) -> Document:
    """Return where the files of a version are: the URL of this server, or the stored URI."""
    row = _found(actor, given)
    is_here = row.artifact_size is not None
    return {"artifact_uri": address_of(row, given.site) if is_here else row.artifact_uri}


def set_tag(actor: Actor, given: Given) -> Document:
    """Set a tag of a version; a tag named ``metrics.NAME`` also logs the metric."""
    name, version = given.required("name"), given.version()
    key, value, at = given.required("key"), given.text("value"), timezone.now()
    metric = metric_of_tag(key, value)
    with all_or_nothing():
        if metric is not None:
            log_metrics(name=name, version=version, metrics=dict([metric]), actor=actor, at=at)
        label_writes.set_tag(name=name, version=version, key=key, value=value, actor=actor, at=at)
    return {}


def delete_tag(actor: Actor, given: Given) -> Document:
    """Remove a tag of a version; a missing one is not an error."""
    try:
        label_writes.delete_tag(
            name=given.required("name"),
            version=given.version(),
            key=given.required("key"),
            actor=actor,
            at=timezone.now(),
        )
    except NotFound as error:
        if error.what != "tag":
            raise
    return {}


def _found(actor: Actor, given: Given) -> models.ModelVersion:
    name, number = given.required("name"), given.version()
    actor.require(Permission.VIEW, name)
    return find_named_version(name, number)


def _answer(row: models.ModelVersion) -> Document:
    return {"model_version": with_aliases([row])[0]}
