"""The JSON API under ``/api/v1/``: documents in and out, problems for errors, tokens for people."""
