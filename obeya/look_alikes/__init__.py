"""Characters that cannot be seen, and names that look like other names."""
