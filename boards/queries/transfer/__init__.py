"""A whole installation as documents."""
