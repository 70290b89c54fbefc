"""Promotion policies: what they require, and the result of checking a version against one."""
