"""The dialogs of moves and rollbacks."""
