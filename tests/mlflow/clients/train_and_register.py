"""Log a model with metrics to a tracking server and register it in a registry that is another."""

import logging
import warnings

import mlflow
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

logging.disable(logging.WARNING)
warnings.simplefilter("ignore")

features, classes = load_iris(return_X_y=True)
with mlflow.start_run() as run:
    classifier = LogisticRegression(max_iter=1_000).fit(features, classes)
    for step, accuracy in enumerate((0.5, 0.95)):
        mlflow.log_metric("accuracy", accuracy, step=step)
    mlflow.log_metric("broken", float("nan"))
    mlflow.sklearn.log_model(classifier, "model", registered_model_name="iris")
print(run.info.run_id)
