"""Load a model whose files were copied to the registry, without access to their source."""

import mlflow
from sklearn.datasets import load_iris

features, classes = load_iris(return_X_y=True)
for uri in ("models:/iris/1", "models:/iris/Production"):
    predicted = mlflow.pyfunc.load_model(uri).predict(features)
    assert sum(predicted == classes) > 140, uri
print("loaded")
