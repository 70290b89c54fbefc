"""The pages of models, versions, files and metrics."""
