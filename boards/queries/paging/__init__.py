"""Common parts of paged lists: cursors, and whole numbers in URLs."""
