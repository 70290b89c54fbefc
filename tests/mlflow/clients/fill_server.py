"""Fill an MLflow server with runs, models and versions. MLflow's own variables set its address.

With ``again``, add what a user would add later.
"""

import logging
import sys

from mlflow import MlflowClient

STAGES = ("None", "Staging", "Production", "Archived")
VERSIONS = 230

logging.disable(logging.INFO)
client = MlflowClient()


def run(**metrics):
    made = client.create_run("0")
    for name, value in metrics.items():
        client.log_metric(made.info.run_id, name, 0.1, step=0)
        client.log_metric(made.info.run_id, name, value, step=1)
    return made.info.run_id


def fill():
    client.create_registered_model(
        "churn", tags={"team": "crm", "größe": "5 MB"}, description="Who *leaves*"
    )
    for number in range(1, VERSIONS + 1):
        client.create_model_version(
            "churn",
            f"s3://bucket/churn/{number}",
            run_id=run(auc=number / 1_000, loss=1.5) if number % 50 == 1 else None,
            tags={"number": str(number)},
            description=f"Version {number}" if number % 7 == 0 else None,
        )
    for number, stage in ((1, "Archived"), (2, "Production"), (3, "Production"), (4, "Staging")):
        client.transition_model_version_stage("churn", str(number), stage)
    client.set_registered_model_alias("churn", "champion", "3")
    client.set_registered_model_alias("churn", "shadow", "200")
    client.delete_model_version("churn", "9")

    client.create_registered_model("Modèle 模型 o'Hara")
    client.create_model_version(
        "Modèle 模型 o'Hara",
        "s3://bucket/模型",
        run_id=run(auc=0.75, nan=float("nan"), infinite=float("inf"), **{"val/f1": 0.5}),
        run_link="https://runs.example.org/7",
    )
    client.copy_model_version("models:/churn/3", "copies")
    client.create_registered_model("empty", description="No version yet")
    client.create_registered_model("\u200btoo" + "o" * 252)


def add():
    client.create_model_version("churn", "s3://bucket/churn/new")
    client.transition_model_version_stage("churn", str(VERSIONS + 1), "Production")
    client.set_registered_model_alias("churn", "champion", str(VERSIONS + 1))
    client.create_registered_model("later")


if __name__ == "__main__":
    add() if sys.argv[1:] else fill()
    print("filled")
