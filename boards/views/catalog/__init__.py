"""The pages of models, versions, files and metrics, with guardrails and limits."""
