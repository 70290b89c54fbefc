"""Verification of the audit log, and of the rows and stored content that it describes."""
