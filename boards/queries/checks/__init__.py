"""Stored policy checks, with their frozen evidence."""
