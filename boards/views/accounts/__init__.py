"""Signing in, passwords and API tokens."""
