"""Policies, their revisions, guardrails, WIP limits, and what a draft would change."""
