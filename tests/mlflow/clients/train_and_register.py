"""Log a model with metrics to a tracking server and register it, if stated in another registry.

With an argument, the files of the run are stored in that folder of this machine.
"""

import logging
import sys
import uuid
import warnings

import mlflow
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

logging.disable(logging.WARNING)
warnings.simplefilter("ignore")

features, classes = load_iris(return_X_y=True)
if sys.argv[1:]:
    mlflow.set_experiment(
        experiment_id=mlflow.create_experiment(uuid.uuid4().hex, artifact_location=sys.argv[1])
    )
with mlflow.start_run() as run:
    classifier = LogisticRegression(max_iter=1_000).fit(features, classes)
    for step, accuracy in enumerate((0.5, 0.95)):
        mlflow.log_metric("accuracy", accuracy, step=step)
    mlflow.log_metric("broken", float("nan"))
    # Without requirements, the client starts another process to detect them.
    mlflow.sklearn.log_model(
        classifier, "model", registered_model_name="iris", pip_requirements=["scikit-learn"]
    )
print(run.info.run_id)
