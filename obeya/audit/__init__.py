"""The audit log: hash-chained events, their export, and the heads of the chains."""
