"""Models and versions: register, describe, log metrics, tag, rename, delete."""
