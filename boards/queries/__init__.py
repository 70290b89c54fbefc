"""Reads: each turns a fixed number of statements into frozen dataclasses."""
