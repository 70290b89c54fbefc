"""Policies, their revisions, guardrails and WIP limits."""
