"""The dialogs of a move and of a rollback."""
