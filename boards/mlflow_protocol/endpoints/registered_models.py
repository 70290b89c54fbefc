"""The endpoints of registered models."""

from __future__ import annotations

from django.utils import timezone

from boards import models
from boards.access.actors import Actor
from boards.access.permissions import Permission
from boards.mlflow_protocol.documents import Document, model_documents, with_aliases
from boards.mlflow_protocol.filters import MODELS, read_filter, read_order
from boards.mlflow_protocol.given import Given
from boards.mlflow_protocol.page_tokens import read_page_token
from boards.mlflow_protocol.stages import read_stage
from boards.queries.facts.accounts.visible_models import visible_models
from boards.queries.facts.records import find_model
from boards.queries.search.mlflow_search import cursor_of, latest_versions, search_models
from boards.registry.catalog import labels as label_writes
from boards.registry.catalog.catalog import delete_model, rename_model, set_description
from boards.registry.catalog.registration import create_model
from obeya.errors import NotFound
from obeya.stages import Stage

RESULTS_MAX = 1_000
RESULTS_DEFAULT = 100


def create(actor: Actor, given: Given) -> Document:
    """Register a model without a version."""
    row = create_model(
        name=given.required("name"),
        description=given.text("description"),
        tags=given.tags(),
        actor=actor,
        at=timezone.now(),
    )
    return _answer(row)


def get(actor: Actor, given: Given) -> Document:
    """Return a model with its tags, its aliases and the latest version of each stage."""
    return _answer(_found(actor, given.required("name")))


def rename(actor: Actor, given: Given) -> Document:
    """Rename a model."""
    new_name = given.required("new_name")
    rename_model(name=given.required("name"), new_name=new_name, actor=actor, at=timezone.now())
    return _answer(find_model(new_name))


def update(actor: Actor, given: Given) -> Document:
    """Set the description of a model."""
    name = given.required("name")
    set_description(name=name, text=given.text("description"), actor=actor, at=timezone.now())
    return _answer(find_model(name))


def delete(actor: Actor, given: Given) -> Document:
    """Hide a model with all its versions."""
    delete_model(name=given.required("name"), actor=actor, at=timezone.now())
    return {}


def search(actor: Actor, given: Given) -> Document:
    """Return the models that match a filter."""
    actor.require_anywhere(Permission.VIEW)
    order = read_order(given.texts("order_by"), MODELS)
    rows, has_more = search_models(
        visible_models(actor, ""),
        read_filter(given.text("filter"), MODELS),
        order,
        read_page_token(given.text("page_token"), order),
        given.limit("max_results", default=RESULTS_DEFAULT, at_most=RESULTS_MAX),
    )
    answer: Document = {"registered_models": model_documents(rows)}
    if has_more:
        answer["next_page_token"] = cursor_of(rows[-1], order)
    return answer


def get_latest_versions(actor: Actor, given: Given) -> Document:
    """Return the latest version of each requested stage, or of every stage if none is given."""
    stages = {read_stage(stage) for stage in given.texts("stages")}
    row = _found(actor, given.required("name"))
    return {"model_versions": with_aliases(latest_versions([row], stages or tuple(Stage)))}


def set_tag(actor: Actor, given: Given) -> Document:
    """Set a tag of a model."""
    label_writes.set_tag(
        name=given.required("name"),
        key=given.required("key"),
        value=given.text("value"),
        actor=actor,
        at=timezone.now(),
    )
    return {}


def delete_tag(actor: Actor, given: Given) -> Document:
    """Remove a tag of a model; a missing one is not an error."""
    try:
        label_writes.delete_tag(
            name=given.required("name"), key=given.required("key"), actor=actor, at=timezone.now()
        )
    except NotFound as error:
        if error.what != "tag":
            raise
    return {}


def _found(actor: Actor, name: str) -> models.RegisteredModel:
    actor.require(Permission.VIEW, name)
    return find_model(name)


def _answer(row: models.RegisteredModel) -> Document:
    return {"registered_model": model_documents([row])[0]}
