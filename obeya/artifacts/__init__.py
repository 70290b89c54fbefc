"""Artifacts, the files of a version: their paths, digests and contents.

Nothing here loads a model, unpickles or runs anything. File formats are read only for their
metadata, within size limits, and all content is treated as untrusted.
"""
