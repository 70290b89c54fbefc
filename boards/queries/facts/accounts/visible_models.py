"""The models that an actor's token covers, and what an actor stored before it had a model."""

from __future__ import annotations

from django.db.models import Q

from boards import models
from boards.access.actors import Actor


def visible_models(actor: Actor, model: str = "model") -> Q:
    """Return the condition that rows belong to models within the actor's grant.

    `model` is the path from the row to its model, "" for models themselves. One statement if the
    grant is limited to some models, none otherwise.
    """
    grant = actor.grant
    if grant is None or not grant.models:
        return Q()
    named = models.RegisteredModel.objects.filter(deleted_at=None).values_list("pk", "name")
    reached = [pk for pk, name in named if grant.covers(name)]
    return Q(**{f"{model}__in" if model else "pk__in": reached})


def stored_by(actor: Actor) -> Q:
    """Return the condition that rows with a user and the limit of a token are the actor's own.

    A limited token reaches only what tokens with the same limit stored, and a token without limits
    all that its account stored. The registry itself reaches everything.
    """
    if actor.user is None:
        return Q()
    limit = actor.grant.models_digest if actor.grant else ""
    return Q(user=actor.user, **({"models_digest": limit} if limit else {}))
