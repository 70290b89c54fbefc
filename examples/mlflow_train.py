r"""Train and register models with MLflow, promote those that pass, and load the champion.

    pip install mlflow scikit-learn
    MLFLOW_REGISTRY_URI=http://127.0.0.1:8000 MLFLOW_TRACKING_TOKEN=obeya_… \
        python examples/mlflow_train.py

The script uses only MLflow's functions, as one for MLflow's own registry does. Runs and files stay
in the tracking store (MLFLOW_TRACKING_URI; by default MLflow's own, in this directory). The server
checks the policies of Staging and Production; `obeya policy apply` sets them.
"""

from __future__ import annotations

import logging
import warnings

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

NAME = "breast-cancer"
# The inverse of the regularisation's strength: one learns almost nothing, the other is good.
STRENGTHS = (1e-7, 1.0)
STAGES = ("Staging", "Production")


def train(strength: float) -> str:
    """Train one classifier, log and register it, and return the number of its version."""
    features, classes = load_breast_cancer(return_X_y=True, as_frame=True)
    seen, unseen, taught, asked = train_test_split(
        features, classes, test_size=0.4, random_state=0, stratify=classes
    )
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1_000))
    with mlflow.start_run(run_name=f"C={strength}"):
        classifier.fit(seen, taught)
        metrics = {
            "auc": float(roc_auc_score(asked, classifier.predict_proba(unseen)[:, 1])),
            "accuracy": float(accuracy_score(asked, classifier.predict(unseen))),
        }
        mlflow.log_param("C", strength)
        mlflow.log_metrics(metrics)
        logged = mlflow.sklearn.log_model(
            classifier,
            "model",
            registered_model_name=NAME,
            signature=infer_signature(unseen, classifier.predict(unseen)),
        )
    version = str(logged.registered_model_version)
    # The policies check these. A registry with OBEYA_MLFLOW_TRACKING_URI copies them from the run.
    for metric, value in metrics.items():
        MlflowClient().set_model_version_tag(NAME, version, f"metrics.{metric}", str(value))
    print(f"{NAME} v{version}: " + ", ".join(f"{n} {v:.3f}" for n, v in metrics.items()))
    return version


def promote(version: str) -> bool:
    """Move a version to Production; return False if a move is refused."""
    client = MlflowClient()
    for stage in STAGES:
        try:
            client.transition_model_version_stage(
                NAME, version, stage, archive_existing_versions=True
            )
        except MlflowException as error:
            print(f"v{version} was refused. {error}")
            return False
    client.set_registered_model_alias(NAME, "champion", version)
    print(f"v{version} is in Production and the champion")
    return True


def main() -> None:
    """Train every classifier, promote those that pass the policies, and load the champion."""
    promoted = [version for version in map(train, STRENGTHS) if promote(version)]
    if not promoted:
        raise SystemExit("No version was promoted; the messages above say why.")
    unseen = load_breast_cancer(as_frame=True).data.head(5)
    for address in (f"{NAME}/{promoted[-1]}", f"{NAME}@champion", f"{NAME}/Production"):
        model = mlflow.pyfunc.load_model(f"models:/{address}")
        print(f"models:/{address} predicts {model.predict(unseen).tolist()}")


if __name__ == "__main__":
    warnings.simplefilter("ignore", FutureWarning)
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    main()
