"""Comparisons of versions, as a page and as CSV."""
