"""The whole installation as documents."""
