"""The JSON API under ``/api/v1/``: JSON documents, problem documents for errors, API tokens."""
