"""Governed aliases: the names that are bound to a stage, and what sets them."""
