"""Metrics: their names, their definitions, and values beside the champion's."""
