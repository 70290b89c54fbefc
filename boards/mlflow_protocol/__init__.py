"""The MLflow registry protocol: an adapter over the same registry and queries as every door.

docs/mlflow.md lists every endpoint and what it maps to.
"""
