"""The audit log and its records."""
