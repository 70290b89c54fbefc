"""Queries for the write path: rows as records of the core, and the evidence for moves."""
