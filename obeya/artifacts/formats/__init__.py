"""Readers of file formats, each to the last byte: what a file contains and whether it runs code."""
