"""Models, their tags, their aliases and governed aliases."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from django.http import HttpResponse
from django.utils import timezone
from ninja import Path, Query, Router
from pydantic import Field

from boards.access.permissions import Permission
from boards.api.answers import answer, done, if_match, is_known, page
from boards.api.guard import ApiRequest
from boards.api.paging import CursorText, Limit, name_cursor, name_place
from boards.api.schemas.basics import Items, Page
from boards.api.schemas.catalog import (
    AliasTarget,
    GovernedAliasIn,
    Model,
    ModelChange,
    TagValue,
    Version,
)
from boards.api.schemas.catalog import GovernedAlias as GovernedAliasSchema
from boards.models import RegisteredModel
from boards.queries.catalog.model_records import model_records, models_page
from boards.queries.facts.accounts.visible_models import visible_models
from boards.queries.facts.governed_aliases import configured_aliases, governed_aliases
from boards.queries.facts.records import find_model
from boards.registry.catalog import catalog as catalog_writes
from boards.registry.catalog import labels as label_writes
from boards.registry.database import DatabaseRegistry
from boards.registry.policies import governed_aliases as alias_writes
from boards.registry.unchanged import all_or_nothing
from obeya import names
from obeya.aliases.governed import AliasMode, AliasSource, GovernedAlias
from obeya.documents.catalog import model_document, version_document
from obeya.documents.governance import governed_alias_document
from obeya.errors import NotFound
from obeya.stages import Stage

router = Router(tags=["Models"])

Name = Annotated[str, Path(), Field(min_length=1, max_length=names.MODEL_NAME_MAX)]
Key = Annotated[str, Path(), Field(min_length=1, max_length=names.TAG_KEY_MAX)]
AliasName = Annotated[str, Path(), Field(min_length=1, max_length=names.ALIAS_MAX)]
Words = Annotated[
    str,
    Query(),
    Field(max_length=names.MODEL_NAME_MAX, description="Words that the name must contain."),
]


@router.get("/models", response=Page[Model])
def list_models(
    request: ApiRequest, q: Words = "", cursor: CursorText = "", limit: Limit = 50
) -> HttpResponse:
    """List the registered models, sorted by name."""
    request.actor.require_anywhere(Permission.VIEW)
    rows, after = models_page(
        visible_models(request.actor, ""),
        text=names.search_text(q),
        after=name_place(cursor),
        limit=limit,
    )
    return page([model_document(model) for model in model_records(rows)], name_cursor(after))


@router.get("/models/{name}", response=Model)
def get_model(request: ApiRequest, name: Name) -> HttpResponse:
    """Retrieve a registered model. Its ETag changes with every event of the model."""
    request.actor.require(Permission.VIEW, name)
    row = find_model(name)
    if is_known(request, row.chain_length):
        return HttpResponse(status=304)
    return _model(row)


@router.patch("/models/{name}", response=Model)
def change_model(request: ApiRequest, name: Name, change: ModelChange) -> HttpResponse:
    """Rename, describe or configure a model. Members that are left out don't change."""
    actor, at = request.actor, timezone.now()
    with if_match(request, name), all_or_nothing():
        if change.description is not None:
            catalog_writes.set_description(name=name, text=change.description, actor=actor, at=at)
        if change.workflow is not None or change.headline_metrics is not None:
            metrics = change.headline_metrics
            catalog_writes.configure_model(
                name=name,
                workflow=change.workflow,
                headline_metrics=None if metrics is None else tuple(metrics),
                actor=actor,
                at=at,
            )
        if change.name is not None:
            catalog_writes.rename_model(
                name=name,
                new_name=change.name,
                allow_similar=change.allow_similar,
                actor=actor,
                at=at,
            )
            name = change.name
        actor.require(Permission.VIEW, name)
        return _model(find_model(name))


@router.delete("/models/{name}", response={204: None})
def delete_model(request: ApiRequest, name: Name) -> HttpResponse:
    """Delete a model with its versions. Its events are kept; a new model can take the name."""
    with if_match(request, name):
        catalog_writes.delete_model(name=name, actor=request.actor, at=timezone.now())
    return done()


@router.put("/models/{name}/tags/{path:key}", response={204: None})
def set_model_tag(request: ApiRequest, name: Name, key: Key, tag: TagValue) -> HttpResponse:
    """Set a tag of a model."""
    with if_match(request, name):
        label_writes.set_tag(
            name=name,
            key=key,
            value=tag.value,
            allow_similar=tag.allow_similar,
            actor=request.actor,
            at=timezone.now(),
        )
    return done()


@router.delete("/models/{name}/tags/{path:key}", response={204: None})
def delete_model_tag(request: ApiRequest, name: Name, key: Key) -> HttpResponse:
    """Remove a tag of a model."""
    with if_match(request, name):
        label_writes.delete_tag(name=name, key=key, actor=request.actor, at=timezone.now())
    return done()


@router.get("/models/{name}/aliases/{alias}", response=Version)
def get_version_by_alias(request: ApiRequest, name: Name, alias: AliasName) -> HttpResponse:
    """Retrieve the version that an alias points to."""
    request.actor.require(Permission.VIEW, name)
    model = find_model(name)
    wanted = names.stored_form(alias)
    number = model.aliases.filter(name=wanted).values_list("version__number", flat=True).first()
    if number is None:
        raise NotFound(f"{model.name} has no alias “{alias[:64]}”.", what="alias")
    version = DatabaseRegistry(actor=request.actor).get_version(model.name, number)
    return answer(version_document(version), revision=version.revision)


@router.put("/models/{name}/aliases/{alias}", response={204: None})
def set_alias(
    request: ApiRequest, name: Name, alias: AliasName, target: AliasTarget
) -> HttpResponse:
    """Point an alias to a version. An existing alias is moved.

    A governed alias can only point to a version in its stage; transitions set it.
    """
    with if_match(request, name):
        label_writes.set_alias(
            name=name,
            alias=alias,
            version=target.version,
            allow_similar=target.allow_similar,
            actor=request.actor,
            at=timezone.now(),
        )
    return done()


@router.delete("/models/{name}/aliases/{alias}", response={204: None})
def delete_alias(request: ApiRequest, name: Name, alias: AliasName) -> HttpResponse:
    """Remove an alias. A governed alias can only be removed if it points to a wrong version."""
    with if_match(request, name):
        label_writes.delete_alias(name=name, alias=alias, actor=request.actor, at=timezone.now())
    return done()


def _model(row: RegisteredModel) -> HttpResponse:
    return answer(model_document(model_records([row])[0]), revision=row.chain_length)


@router.get("/governed-aliases", response=Items[GovernedAliasSchema])
def list_governed_aliases(request: ApiRequest) -> HttpResponse:
    """List the alias names that are governed or set free, by default and then for each model."""
    request.actor.require_anywhere(Permission.VIEW)
    default = [(None, each) for each in governed_aliases(None).configured]
    configured = configured_aliases(visible_models(request.actor))
    return _listed([*default, *(pair for pair in configured if pair[0] is not None)])


@router.put("/governed-aliases/{alias}", response=GovernedAliasSchema)
def set_governed_alias(
    request: ApiRequest, alias: AliasName, given: GovernedAliasIn
) -> HttpResponse:
    """Govern an alias of every model, or set it free. Existing aliases are not changed."""
    return _govern(request, None, alias, given)


@router.delete("/governed-aliases/{alias}", response={204: None})
def remove_governed_alias(request: ApiRequest, alias: AliasName) -> HttpResponse:
    """Remove the default configuration of an alias. That of the workflow applies again."""
    return _release(request, None, alias)


@router.get("/models/{name}/governed-aliases", response=Items[GovernedAliasSchema])
def list_model_governed_aliases(request: ApiRequest, name: Name) -> HttpResponse:
    """List the alias names that are governed or set free for a model, sorted by name."""
    request.actor.require(Permission.VIEW, name)
    model = find_model(name)
    return _listed(
        (model.name if each.source is AliasSource.MODEL else None, each)
        for each in governed_aliases(model).configured
    )


@router.put("/models/{name}/governed-aliases/{alias}", response=GovernedAliasSchema)
def set_model_governed_alias(
    request: ApiRequest, name: Name, alias: AliasName, given: GovernedAliasIn
) -> HttpResponse:
    """Govern an alias of a model, or set it free. It replaces the default for this model."""
    return _govern(request, name, alias, given)


@router.delete("/models/{name}/governed-aliases/{alias}", response={204: None})
def remove_model_governed_alias(request: ApiRequest, name: Name, alias: AliasName) -> HttpResponse:
    """Remove the model's configuration of an alias. The default applies again."""
    return _release(request, name, alias)


def _listed(found: Iterable[tuple[str | None, GovernedAlias]]) -> HttpResponse:
    return answer({"items": [governed_alias_document(each, model) for model, each in found]})


def _govern(
    request: ApiRequest, name: str | None, alias: str, given: GovernedAliasIn
) -> HttpResponse:
    source = AliasSource.REGISTRY if name is None else AliasSource.MODEL
    stage = Stage(given.stage) if given.stage else Stage.PRODUCTION
    governed = GovernedAlias(alias, stage, AliasMode(given.mode), source)
    alias_writes.set_governed_alias(
        governed=governed, name=name, actor=request.actor, at=timezone.now()
    )
    return answer(governed_alias_document(governed, name))


def _release(request: ApiRequest, name: str | None, alias: str) -> HttpResponse:
    alias_writes.remove_governed_alias(
        alias=alias, name=name, actor=request.actor, at=timezone.now()
    )
    return done()
