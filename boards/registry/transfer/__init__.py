"""Imports from another registry, and from a whole export."""
