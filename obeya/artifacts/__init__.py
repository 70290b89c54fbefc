"""Artifacts: the files of a version. What they are called, what they hash to, what they hold.

Nothing here loads a model, unpickles or runs anything: formats are read for what they say of
themselves, within bounds, and content that nobody can trust is taken for just that.
"""
