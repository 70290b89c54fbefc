"""Load the model of `files_here.py` with only the registry's address configured."""

import mlflow

for uri in ("models:/churn@best", "models:/churn/1", "models:/churn/Staging"):
    model = mlflow.pyfunc.load_model(uri)
    assert list(model.predict([[0.0], [1.0]])) == [0, 1]
print("loaded")
