"""Stored policy checks, as they were frozen."""
