"""The moves that a version can make."""
