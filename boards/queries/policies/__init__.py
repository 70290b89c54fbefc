"""Policies, their revisions, and what a draft would change."""
