"""The audit log as people and programs read it, and what can be read from it alone."""
