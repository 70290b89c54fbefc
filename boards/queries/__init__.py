"""Queries: each returns frozen dataclasses, from a fixed number of statements."""
