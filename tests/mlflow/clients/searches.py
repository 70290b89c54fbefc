"""Searches by MLflow's own client over hundreds of models and versions, page by page."""

import logging
import os

from mlflow import MlflowClient
from mlflow.entities.model_registry import RegisteredModelTag
from mlflow.exceptions import MlflowException

client = MlflowClient(registry_uri=os.environ["MLFLOW_REGISTRY_URI"])
MODELS, VERSIONS = 120, 250
PROMPT = RegisteredModelTag("mlflow.prompt.is_prompt", "true")


def paged(search, **given):
    found, token = [], None
    while True:
        page = search(page_token=token, **given)
        found += page
        token = page.token
        if not token:
            return found


def names(where="", **given):
    return [m.name for m in client.search_registered_models(where, **given)]


def numbers(where, **given):
    return [int(v.version) for v in client.search_model_versions(where, **given)]


def refused(search, **given):
    try:
        search(**given)
    except MlflowException as error:
        assert error.error_code == "INVALID_PARAMETER_VALUE", str(error)
        return
    raise AssertionError(given)


def fill():
    for number in range(MODELS):
        tags = {"parity": "odd" if number % 2 else "even", "with space.and dots": f"n{number}"}
        client.create_registered_model(f"model-{number:03d}", tags=tags)
    client.create_registered_model("Modèle_100%")
    # What the client itself does for a prompt, which has different names in 2.x and 3.x.
    client._get_registry_client().store.create_registered_model("prompt", [PROMPT])
    for number in range(VERSIONS):
        client.create_model_version(
            "model-000",
            f"s3://bucket/{number}",
            run_id=f"run{number % 10}",
            tags={"shard": str(number % 3)},
        )
    client.create_model_version("model-001", "s3://other/1", run_id="run1")


def models():
    expected = ["Modèle_100%", *(f"model-{n:03d}" for n in range(MODELS))]
    assert (
        sorted(m.name for m in paged(client.search_registered_models, max_results=25)) == expected
    )
    backwards = paged(client.search_registered_models, max_results=50, order_by=["name DESC"])
    assert [m.name for m in backwards if m.name.startswith("model")] == expected[:0:-1]
    newest = paged(
        client.search_registered_models,
        max_results=33,
        order_by=["last_updated_timestamp DESC", "name"],
    )
    stamps = [m.last_updated_timestamp for m in newest]
    assert stamps == sorted(stamps, reverse=True) and len(newest) == MODELS + 1
    assert names("name = 'model-007'") == ["model-007"]
    assert names('name="model-007"') == ["model-007"]
    assert names("name LIKE 'model-00%'") == [f"model-{n:03d}" for n in range(10)]
    assert names("name like 'model-00_'", max_results=3) == [f"model-{n:03d}" for n in range(3)]
    assert names("name LIKE 'MODEL-00%'") == []
    assert len(names("name ILIKE 'MODEL-00%'")) == 10
    assert names("name LIKE '%[0]%'") == [] and names("name LIKE '%*%'") == []
    assert names("name LIKE 'Mod%100%'") == ["Modèle_100%"]
    assert names("name != 'model-000' AND name LIKE 'model-00%'")[0] == "model-001"
    odd = paged(client.search_registered_models, filter_string="tags.parity = 'odd'", max_results=7)
    assert len(odd) == MODELS // 2
    assert len(names("tag.parity != 'odd'")) == MODELS // 2
    assert names("tags.`with space.and dots` = 'n5' AND tags.parity = 'odd'") == ["model-005"]
    assert names("tags.`with space.and dots` = 'n5' and tags.parity = 'even'") == []
    assert names("tags.missing != 'x'") == []
    assert names("tags.`mlflow.prompt.is_prompt` = 'true'") == ["prompt"]
    for broken in (
        "name ~ 'a'",
        "name = model",
        "nome = 'a'",
        "name = 'a' OR name = 'b'",
        "(name = 'a')",
        "name = 'a",
        "name",
        "name =",
        "AND",
        "run_id = 'a'",
        "params.a = 'b'",
        "name > 'a'",
        "tags.a > 'b'",
    ):
        refused(client.search_registered_models, filter_string=broken)
    refused(client.search_registered_models, max_results=1001)
    refused(client.search_registered_models, order_by=["creator"])
    refused(client.search_registered_models, order_by=["name", "name DESC"])
    for token in ("abc", "eyJvZmZzZXQiOiAxfQ==", "%", "W10="):
        refused(client.search_registered_models, page_token=token)


def versions():
    everything = paged(client.search_model_versions, filter_string="", max_results=60)
    assert len(everything) == VERSIONS + 1
    assert len({(v.name, v.version) for v in everything}) == VERSIONS + 1
    stamps = [v.last_updated_timestamp for v in everything]
    assert stamps == sorted(stamps, reverse=True)
    ordered = paged(
        client.search_model_versions,
        filter_string="name='model-000'",
        max_results=99,
        order_by=["version_number ASC"],
    )
    assert [int(v.version) for v in ordered] == list(range(1, VERSIONS + 1))
    assert numbers("run_id = 'run3' AND name = 'model-000'", order_by=["version_number"]) == list(
        range(4, VERSIONS + 1, 10)
    )
    assert len(numbers("run_id IN ('run3', \"run4\")")) == VERSIONS // 5
    assert len(numbers("run_id NOT IN ('run3')")) == VERSIONS * 9 // 10 + 1
    assert numbers("source_path = 's3://other/1'") == [1]
    assert numbers("source_path LIKE 's3://bucket/24_'", order_by=["version_number"]) == list(
        range(241, VERSIONS + 1)
    )
    assert numbers("version_number > 248 and version_number <= 249") == [249]
    assert numbers("version_number = 99999999999999999999") == []
    assert len(numbers("tags.shard = '0'")) == 84
    assert len(numbers("tags.shard != '0'")) == VERSIONS - 84
    assert sorted(
        numbers("name = 'model-000' AND tags.shard ILIKE '2' AND version_number < 10")
    ) == [
        3,
        6,
        9,
    ]
    for broken in (
        "current_stage = 'Production'",
        "version_number = 'x'",
        "version_number LIKE '1'",
        "run_id IN ()",
        "run_id IN (1)",
        "run_id IN 'a'",
        "source_path IN ('a')",
        "name = 'a' name = 'b'",
        "name = 'a'; drop",
    ):
        refused(client.search_model_versions, filter_string=broken)
    refused(client.search_model_versions, filter_string="", max_results=0)
    refused(client.search_model_versions, filter_string="", max_results=200_001)


if __name__ == "__main__":
    logging.disable(logging.INFO)
    fill()
    models()
    versions()
    print("every search found what it should")
