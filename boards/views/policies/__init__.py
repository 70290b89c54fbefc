"""Policies, their revisions and stored checks."""
