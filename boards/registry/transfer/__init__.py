"""Imports from another registry, and of a whole export."""
