"""Moving a version: checks, requests, the move itself, rollback."""
