"""Stored files, and the files of a version."""
