"""Pages and exports of the audit log, and what is read from the log only."""
