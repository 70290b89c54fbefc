"""Promotion policies, waivers, WIP limits and guardrails."""
