"""Move the trained model to Production, and register a version whose files are in a bucket."""

from mlflow import MlflowClient

client = MlflowClient()
client.transition_model_version_stage("iris", "1", "Production")
client.create_model_version("iris", "s3://bucket/iris")
print("done")
