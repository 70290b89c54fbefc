"""Versions side by side, as a page and as CSV."""
