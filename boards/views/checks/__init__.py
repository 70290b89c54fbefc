"""Stored policy checks."""
