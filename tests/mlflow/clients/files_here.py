"""Log a model to the registry's own storage, promote it, and load it as another machine would."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

import mlflow
from mlflow import MlflowClient
from sklearn.linear_model import LogisticRegression

HERE = os.environ["MLFLOW_REGISTRY_URI"]
NAME = "churn"

if sys.argv[1:] == ["load"]:
    mlflow.set_registry_uri(HERE)
    for uri in (f"models:/{NAME}@champion", f"models:/{NAME}/1", f"models:/{NAME}/Staging"):
        model = mlflow.pyfunc.load_model(uri)
        assert list(model.predict([[0.0], [1.0]])) == [0, 1]
    print("loaded")
    sys.exit()

client = MlflowClient()
root = f"{HERE}/api/2.0/mlflow-artifacts/artifacts/churn"
experiment = client.create_experiment("churn", artifact_location=root)
with mlflow.start_run(experiment_id=experiment) as run:
    trained = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    mlflow.sklearn.log_model(trained, name="model", registered_model_name=NAME)
    mlflow.log_text("a note", "notes/a.txt")
    # Far more than the client is told to send in parts: it sends it whole after our answer.
    mlflow.log_text("0123456789" * 700_000, "large/b.txt")
assert [f.path for f in client.list_artifacts(run.info.run_id, "notes")] == ["notes/a.txt"]
assert [f.file_size for f in client.list_artifacts(run.info.run_id, "large")] == [7_000_000]
version = client.get_model_version(NAME, "1")
client.transition_model_version_stage(NAME, "1", "Staging")
client.set_registered_model_alias(NAME, "champion", "1")
where = client.get_model_version_download_uri(NAME, "1")
assert where.startswith(f"{HERE}/api/2.0/mlflow-artifacts/artifacts/versions/"), where
with tempfile.TemporaryDirectory() as other:
    environment = dict(os.environ, HOME=other, MLFLOW_TRACKING_URI=f"sqlite:///{other}/other.db")
    done = subprocess.run(
        [sys.executable, __file__, "load"],
        env=environment,
        cwd=other,
        check=False,
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
print("done")
