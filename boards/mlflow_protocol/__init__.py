"""The MLflow registry protocol: an adapter to the same write path and queries as all entry points.

docs/mlflow.md lists every endpoint and what it maps to.
"""
