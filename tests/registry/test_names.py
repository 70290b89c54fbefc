"""New names in the database: what is stored, and who can create similar ones."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from boards import models
from boards.access.actors import SYSTEM, Actor
from boards.models.look_alike_key import look_alike_columns
from boards.registry.accounts.tokens import create_token
from boards.registry.accounts.users import create_user
from boards.registry.catalog.catalog import rename_model
from boards.registry.catalog.labels import set_alias, set_tag
from boards.registry.catalog.metrics import define_metric
from boards.registry.catalog.registration import create_model
from boards.registry.database import DatabaseRegistry
from boards.registry.transfer.imports import import_model
from boards.registry.webhooks.endpoints import change_webhook, create_webhook
from obeya.errors import InvalidInput, SimilarName
from obeya.imports import ImportedModel, ImportedVersion
from obeya.metrics import MetricDefinition
from obeya.records import Channel
from obeya.stages import Stage
from obeya.tokens import Scope
from obeya.webhooks.endpoints import Subscription, Target
from tests.differing_rows import differing_rows
from tests.offenders import every_case

pytestmark = pytest.mark.both_engines

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
SIMILAR = "m\u043edel"  # Cyrillic
INVISIBLE = "model\u3164"


@pytest.fixture
def mlflow(alice: models.User, registry: DatabaseRegistry) -> Actor:
    """Return an actor as MLflow's clients are, in a registry with one model."""
    registry.register_model("model", label="Label")
    registry.set_alias("model", "best", 1)
    registry.set_tag("model", "team", "a")
    return Actor(alice, Channel.MLFLOW)


def test_similar_names_of_mlflows_clients_are_accepted_and_logged(
    mlflow: Actor, caplog: pytest.LogCaptureFixture, new_events: Callable[[], list[Any]]
) -> None:
    new_events()
    how: dict[str, Any] = {"actor": mlflow, "at": NOON}
    with caplog.at_level(logging.WARNING):
        made = create_model(name=SIMILAR, **how)
        set_alias(name="model", alias="Best", version=1, **how)
        set_tag(name="model", key="Team", value="b", **how)
        rename_model(name=SIMILAR, new_name="Model", **how)
    uid = str(models.RegisteredModel.objects.get(name="model").uid)
    similar = [event.data.get("similar_to") for event in new_events()]
    assert similar == [[uid], ["best"], ["team"], [uid]]
    assert made.look_alike_key == look_alike_columns("model")["look_alike_key"]
    assert caplog.messages == [
        f"The model name “{SIMILAR}” is similar to “model”.",
        "The alias “Best” is similar to “best”.",
        "The tag key “Team” is similar to “team”.",
        "The model name “Model” is similar to “model”.",
    ]
    with pytest.raises(InvalidInput, match="HANGUL FILLER"):
        create_model(name=INVISIBLE, **how)


def test_the_actors_of_the_process_do_not_collect_sentences(db: None) -> None:
    for name in ("modell", "model1"):
        create_model(name=name, actor=SYSTEM, at=NOON)
    assert SYSTEM.similar_names is None


def test_an_import_accepts_similar_names_and_reports_them(
    mlflow: Actor, alice: models.User
) -> None:
    good = ImportedVersion(
        1,
        Stage.DEVELOPMENT,
        created_at=NOON,
        updated_at=NOON,
        tags={"k": "", "K": ""},
        aliases=("new", "NEW"),
    )
    bad = ImportedVersion(
        2, Stage.DEVELOPMENT, created_at=NOON, updated_at=NOON, tags={"x\u200b": ""}
    )
    report = import_model(
        imported=ImportedModel(
            name="MODEL", origin="https://m.example.org", created_at=NOON, versions=(good, bad)
        ),
        actor=Actor(alice, Channel.API),
        at=NOON,
    )
    assert report.imported == (1,)
    assert "ZERO WIDTH SPACE" in report.refused[2]
    assert report.similar_names == (
        "The model name “MODEL” is similar to “model”.",
        "The alias “NEW” is similar to “new”.",
        "The tag key “K” is similar to “k”.",
    )
    assert differing_rows() == []


def test_names_that_existed_before_the_rule_keep_working(registry: DatabaseRegistry) -> None:
    registry.register_model("model", metrics={"auc": 1}, tags={"team": "a"})
    models.RegisteredModel.objects.update(name=INVISIBLE, **look_alike_columns(INVISIBLE))
    models.Metric.objects.update(name="auc\u200b")
    models.VersionTag.objects.update(key="team\u200b")
    row = models.Alias.objects.create(
        model_id=models.RegisteredModel.objects.get().pk,
        version_id=models.ModelVersion.objects.get().pk,
        name="best\u3164",
    )
    made = registry.register_model(
        INVISIBLE, metrics={"auc\u200b": 2}, tags={"team\u200b": "b"}, label="1"
    )
    registry.set_alias(INVISIBLE, row.name, made.version)
    registry.log_metrics(INVISIBLE, 1, {"auc\u200b": 3})
    registry.set_tag(INVISIBLE, "team\u200b", "c")
    registry.transition_stage(INVISIBLE, made.version, Stage.STAGING)
    with pytest.raises(SimilarName):
        registry.register_model("model")
    registry.rename_model(INVISIBLE, "model")


def test_a_deleted_models_name_and_a_deleted_versions_label_are_free(
    registry: DatabaseRegistry,
) -> None:
    registry.register_model("model", label="rc")
    registry.register_model("model", label="one")
    registry.delete_version("model", 1)
    registry.register_model("model", label="RC")
    registry.delete_model("model")
    assert registry.register_model("Model").version == 1


def test_names_outside_the_models_are_checked_too(alice: models.User) -> None:
    how: dict[str, Any] = {"actor": Actor(alice, Channel.PAGE), "at": NOON}
    endpoint: dict[str, Any] = {
        "address": "https://ci.example.org/",
        "subscription": Subscription(),
        **how,
    }
    cases: dict[str, Callable[[str], object]] = {
        "token": lambda name: create_token(user=alice, name=name, scopes=list(Scope), **how),
        "endpoint": lambda name: create_webhook(name=name, target=Target.WEBHOOK, **endpoint),
        "definition": lambda name: define_metric(definition=MetricDefinition(name), **how),
        "account": lambda name: create_user(username=name, group="viewer", **how),
    }
    with every_case() as case:
        for what, create in cases.items():
            with case(what), pytest.raises(InvalidInput, match=r"HANGUL (JUNGSEONG )?FILLER"):
                create(INVISIBLE)
    ci, _ = create_webhook(name="ci", target=Target.WEBHOOK, **endpoint)
    with pytest.raises(SimilarName, match="“ci”"):
        create_webhook(name="CI", target=Target.WEBHOOK, **endpoint)
    other, _ = create_webhook(name="CI", target=Target.WEBHOOK, allow_similar=True, **endpoint)
    change_webhook(uid=ci.uid, name="ci", **endpoint | {"address": "https://ci.example.org/2"})
    with pytest.raises(SimilarName):
        change_webhook(uid=other.uid, name="c\u0456", **endpoint)
    with pytest.raises(SimilarName, match="alice"):
        create_user(username="\u0430lice", group="viewer", **how)
    create_user(username="\u0430lice", group="viewer", allow_similar=True, **how)
