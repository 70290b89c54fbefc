"""Replay of the audit log: the rows that the events of one chain describe, as plain data."""
