"""`InMemoryRegistry`, the registry without a server or a database."""
