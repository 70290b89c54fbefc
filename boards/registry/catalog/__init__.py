"""Models and versions: register, describe, measure, tag, rename, delete."""
