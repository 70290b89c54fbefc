"""The endpoints of aliases."""

from __future__ import annotations

from django.utils import timezone

from boards import models
from boards.access.actors import Actor
from boards.access.permissions import Permission
from boards.mlflow_protocol.documents import Document, with_aliases
from boards.mlflow_protocol.errors import (
    RESOURCE_DOES_NOT_EXIST,
    ProtocolError,
    invalid,
)
from boards.mlflow_protocol.given import Given
from boards.queries.facts.records import find_model
from boards.registry.catalog import labels as label_writes
from obeya import names
from obeya.errors import NotFound

LATEST = "latest"


def set_alias(actor: Actor, given: Given) -> Document:
    """Set an alias to a version."""
    label_writes.set_alias(
        name=given.required("name"),
        alias=given.required("alias"),
        version=given.version(),
        actor=actor,
        at=timezone.now(),
    )
    return {}


def delete_alias(actor: Actor, given: Given) -> Document:
    """Remove an alias; a missing one is not an error."""
    try:
        label_writes.delete_alias(
            name=given.required("name"),
            alias=given.required("alias"),
            actor=actor,
            at=timezone.now(),
        )
    except NotFound as error:
        if error.what != "alias":
            raise
    return {}


def get_version(actor: Actor, given: Given) -> Document:
    """Return the version of an alias; ``latest`` is the version with the highest number."""
    name, alias = given.required("name"), given.required("alias")
    actor.require(Permission.VIEW, name)
    model = find_model(name)
    versions = models.ModelVersion.objects.filter(model=model, deleted_at=None)
    versions = versions.select_related("model", "owner")
    if alias.lower() == LATEST:
        row = versions.order_by("-number").first()
        if row is None:
            raise ProtocolError(
                RESOURCE_DOES_NOT_EXIST, f"Latest version not found for model {model.name}."
            )
    else:
        row = versions.filter(aliases__name=names.stored_form(alias)).first()
        if row is None:
            raise invalid(f"Registered model alias {alias[:256]} not found.")
    return {"model_version": with_aliases([row])[0]}
