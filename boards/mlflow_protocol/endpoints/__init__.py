"""The endpoints of the MLflow protocol."""
