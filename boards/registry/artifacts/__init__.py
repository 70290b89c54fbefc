"""Stored files, and the files of versions."""
