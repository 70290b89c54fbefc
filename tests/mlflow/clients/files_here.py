"""Log a model to the registry's own storage, and promote it."""

from __future__ import annotations

import os

import mlflow
from mlflow import MlflowClient
from sklearn.linear_model import LogisticRegression

HERE = os.environ["MLFLOW_REGISTRY_URI"]
NAME = "churn"

client = MlflowClient()
root = f"{HERE}/api/2.0/mlflow-artifacts/artifacts/churn"
experiment = client.create_experiment("churn", artifact_location=root)
with mlflow.start_run(experiment_id=experiment) as run:
    trained = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    # Without requirements, the client starts another process to detect them.
    mlflow.sklearn.log_model(
        trained, "model", registered_model_name=NAME, pip_requirements=["scikit-learn"]
    )
    mlflow.log_text("a note", "notes/a.txt")
    # Larger than the client's multipart threshold: our response makes the client send it whole.
    mlflow.log_text("0123456789" * 700_000, "large/b.txt")
assert [f.path for f in client.list_artifacts(run.info.run_id, "notes")] == ["notes/a.txt"]
assert [f.file_size for f in client.list_artifacts(run.info.run_id, "large")] == [7_000_000]
version = client.get_model_version(NAME, "1")
client.transition_model_version_stage(NAME, "1", "Staging")
client.set_registered_model_alias(NAME, "best", "1")
where = client.get_model_version_download_uri(NAME, "1")
assert where.startswith(f"{HERE}/api/2.0/mlflow-artifacts/artifacts/versions/"), where
print("done")
