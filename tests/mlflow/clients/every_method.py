"""Every registry method of MLflow's own client, called on a running registry.

Run with the Python of an environment that has mlflow, with MLFLOW_REGISTRY_URI,
MLFLOW_TRACKING_TOKEN and MLFLOW_TRACKING_URI set. Fails at the first unexpected result.
"""

import logging
import os
import uuid

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException, RestException

client = MlflowClient(registry_uri=os.environ["MLFLOW_REGISTRY_URI"])
UNICODE = "Modèle 模型 🦜 o'Hara 100% [a]"


def refused(code, text, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except (RestException, MlflowException) as error:
        assert error.error_code == code, (error.error_code, str(error))
        assert text in str(error), str(error)
        return str(error)
    raise AssertionError(f"{call.__name__}{args} was not refused")


def models():
    made = client.create_registered_model("churn", tags={"team": "crm"}, description="Who leaves")
    assert (made.name, made.description, made.tags) == ("churn", "Who leaves", {"team": "crm"})
    assert made.creation_timestamp == made.last_updated_timestamp > 1_500_000_000_000
    assert made.latest_versions == []
    refused("RESOURCE_ALREADY_EXISTS", "already exists", client.create_registered_model, "churn")
    refused(
        "RESOURCE_DOES_NOT_EXIST",
        "Registered Model with name=nobody not found",
        client.get_registered_model,
        "nobody",
    )
    for name in ("", " ", "a/b", "a:b", ".", "..", "x" * 257):
        refused("INVALID_PARAMETER_VALUE", "", client.create_registered_model, name)
    assert client.create_registered_model("x" * 256).name == "x" * 256
    described = client.update_registered_model("churn", "Who will leave")
    assert described.description == "Who will leave"
    client.set_registered_model_tag("churn", "purpose", "retention")
    client.set_registered_model_tag("churn", "purpose", "")
    client.set_registered_model_tag("churn", "k" * 250, "v" * 100_000)
    refused(
        "INVALID_PARAMETER_VALUE", "250", client.set_registered_model_tag, "churn", "k" * 251, "v"
    )
    refused(
        "INVALID_PARAMETER_VALUE",
        "100,000",
        client.set_registered_model_tag,
        "churn",
        "k",
        "v" * 100_001,
    )
    client.delete_registered_model_tag("churn", "k" * 250)
    client.delete_registered_model_tag("churn", "never set")
    assert client.get_registered_model("churn").tags == {"team": "crm", "purpose": ""}
    client.rename_registered_model("churn", UNICODE)
    assert client.get_registered_model(UNICODE).tags == {"team": "crm", "purpose": ""}
    refused("RESOURCE_DOES_NOT_EXIST", "name=churn not found", client.get_registered_model, "churn")
    refused(
        "RESOURCE_ALREADY_EXISTS",
        "already exists",
        client.rename_registered_model,
        "x" * 256,
        UNICODE,
    )
    client.create_model_version(UNICODE, "s3://bucket/Straße/模型")
    client.delete_registered_model(UNICODE)
    refused("RESOURCE_DOES_NOT_EXIST", "not found", client.get_registered_model, UNICODE)
    refused("RESOURCE_DOES_NOT_EXIST", "not found", client.delete_registered_model, UNICODE)
    client.delete_registered_model("x" * 256)


def versions():
    refused(
        "RESOURCE_DOES_NOT_EXIST",
        "Registered Model with name=fraud not found",
        client.create_model_version,
        "fraud",
        "s3://bucket/a",
    )
    client.create_registered_model("fraud")
    run_id = uuid.uuid4().hex
    first = client.create_model_version(
        "fraud",
        "s3://bucket/fraud/1",
        run_id=run_id,
        tags={"framework": "sklearn", "metrics.auc": "0.91"},
        run_link="https://tracking.example.org/runs/1",
        description="The first",
    )
    assert (first.name, str(first.version), first.status) == ("fraud", "1", "READY")
    assert (first.source, first.run_id) == ("s3://bucket/fraud/1", run_id)
    assert first.run_link == "https://tracking.example.org/runs/1"
    assert first.tags == {"framework": "sklearn", "metrics.auc": "0.91"}
    assert first.current_stage == "None"
    again = client.get_model_version("fraud", "1")
    assert dict(again) == dict(first), (dict(again), dict(first))
    of_3 = {} if mlflow.__version__.startswith("2.") else {"model_id": f"m-{run_id}"}
    second = client.create_model_version("fraud", "s3://bucket/fraud/2", **of_3)
    assert str(second.version) == "2"
    assert client.get_model_version_download_uri("fraud", "2") == "s3://bucket/fraud/2"
    changed = client.update_model_version("fraud", "1", "The very first")
    assert changed.description == "The very first"
    client.set_model_version_tag("fraud", "1", "checked by", "Zoë")
    client.set_model_version_tag("fraud", "1", "n", 5)
    client.delete_model_version_tag("fraud", "1", "framework")
    client.delete_model_version_tag("fraud", "1", "never set")
    assert client.get_model_version("fraud", "1").tags == {
        "checked by": "Zoë",
        "metrics.auc": "0.91",
        "n": "5",
    }
    refused(
        "INVALID_PARAMETER_VALUE",
        "finite number",
        client.set_model_version_tag,
        "fraud",
        "1",
        "metrics.auc",
        "NaN",
    )
    refused(
        "RESOURCE_DOES_NOT_EXIST",
        "Model Version (name=fraud, version=9) not found",
        client.get_model_version,
        "fraud",
        "9",
    )
    refused(
        "INVALID_PARAMETER_VALUE",
        "Parameter 'version' must be an integer, got 'one'.",
        client.get_model_version,
        "fraud",
        "one",
    )
    copy = client.copy_model_version("models:/fraud/1", "fraud-in-production")
    assert copy.source == "models:/fraud/1", copy.source
    assert copy.run_id == run_id
    assert (
        client.get_model_version_download_uri("fraud-in-production", copy.version)
        == "s3://bucket/fraud/1"
    )
    client.delete_model_version("fraud", "2")
    refused("RESOURCE_DOES_NOT_EXIST", "version=2", client.get_model_version, "fraud", "2")
    assert str(client.create_model_version("fraud", "s3://bucket/fraud/3").version) == "3"


def stages():
    client.create_registered_model("ranker")
    for _ in range(3):
        client.create_model_version("ranker", "s3://bucket/ranker")
    move = client.transition_model_version_stage
    assert move("ranker", "1", "staging").current_stage == "Staging"
    assert move("ranker", "1", "Staging").current_stage == "Staging"
    assert move("ranker", "1", "Production").current_stage == "Production"
    sentence = refused("RESOURCE_CONFLICT", "None to Production", move, "ranker", "2", "Production")
    assert "skips Staging" in sentence
    move("ranker", "2", "Staging")
    assert move("ranker", "2", "Production", archive_existing_versions=True)
    assert client.get_model_version("ranker", "1").current_stage == "Archived"
    refused(
        "INVALID_PARAMETER_VALUE", "None, Staging, Production, Archived", move, "ranker", "3", "X"
    )
    refused(
        "INVALID_PARAMETER_VALUE",
        "not an Active stage",
        move,
        "ranker",
        "3",
        "Archived",
        archive_existing_versions=True,
    )
    latest = {v.current_stage: v.version for v in client.get_latest_versions("ranker")}
    assert {k: str(v) for k, v in latest.items()} == {
        "Archived": "1",
        "Production": "2",
        "None": "3",
    }
    only = client.get_latest_versions("ranker", stages=["Production"])
    assert [str(v.version) for v in only] == ["2"]
    assert client.get_latest_versions("ranker", stages=["Staging"]) == []
    shown = {v.current_stage for v in client.get_registered_model("ranker").latest_versions}
    assert shown == {"Archived", "Production", "None"}


def gates():
    # The model and its policy exist: Staging requires f1 and auc.
    version = str(client.create_model_version("gated", "s3://bucket/gated").version)
    sentence = refused(
        "RESOURCE_CONFLICT",
        "None to Staging",
        client.transition_model_version_stage,
        "gated",
        version,
        "Staging",
    )
    assert "f1" in sentence and "auc" in sentence, sentence
    client.set_model_version_tag("gated", version, "metrics.f1", "0.8")
    client.set_model_version_tag("gated", version, "metrics.auc", "9e-1")
    moved = client.transition_model_version_stage("gated", version, "Staging")
    assert moved.current_stage == "Staging"


def aliases():
    client.create_registered_model("aliased")
    for _ in range(2):
        client.create_model_version("aliased", "s3://bucket/aliased")
    client.set_registered_model_alias("aliased", "best", "1")
    client.set_registered_model_alias("aliased", "best", "2")
    client.set_registered_model_alias("aliased", "a" * 255, "1")
    assert str(client.get_model_version_by_alias("aliased", "best").version) == "2"
    assert client.get_model_version("aliased", "2").aliases == ["best"]
    assert {k: str(v) for k, v in client.get_registered_model("aliased").aliases.items()} == {
        "best": "2",
        "a" * 255: "1",
    }
    assert str(client.get_model_version_by_alias("aliased", "latest").version) == "2"
    for alias in ("latest", "v2", "a" * 256, "no good", "a/b"):
        refused(
            "INVALID_PARAMETER_VALUE", "", client.set_registered_model_alias, "aliased", alias, "1"
        )
    refused(
        "RESOURCE_DOES_NOT_EXIST",
        "Model Version (name=aliased, version=7) not found",
        client.set_registered_model_alias,
        "aliased",
        "best",
        "7",
    )
    refused(
        "INVALID_PARAMETER_VALUE",
        "Registered model alias nobody not found.",
        client.get_model_version_by_alias,
        "aliased",
        "nobody",
    )
    client.delete_registered_model_alias("aliased", "best")
    client.delete_registered_model_alias("aliased", "best")
    assert client.get_model_version("aliased", "2").aliases == []


def governed_aliases():
    client.create_registered_model("governed")
    for _ in range(3):
        client.create_model_version("governed", "s3://bucket/governed")
    set_alias, move = client.set_registered_model_alias, client.transition_model_version_stage
    move("governed", "2", "Staging")
    for alias in ("champion", "Champion", "CHAMPION"):
        sentence = refused("RESOURCE_CONFLICT", alias, set_alias, "governed", alias, "2")
        assert "Move v2 from Staging to Production." in sentence, sentence
    move("governed", "2", "Production")
    assert str(client.get_model_version_by_alias("governed", "champion").version) == "2"
    set_alias("governed", "champion", "2")
    refused("RESOURCE_CONFLICT", "Staging, then to", set_alias, "governed", "champion", "3")
    delete = client.delete_registered_model_alias
    refused("RESOURCE_CONFLICT", "cannot be deleted", delete, "governed", "champion")
    assert str(client.get_model_version_by_alias("governed", "champion").version) == "2"
    move("governed", "2", "Archived")
    assert client.get_registered_model("governed").aliases == {}


if __name__ == "__main__":
    logging.disable(logging.INFO)
    models()
    versions()
    stages()
    gates()
    aliases()
    governed_aliases()
    print("every method did what it should")
