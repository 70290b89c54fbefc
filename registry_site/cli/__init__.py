"""Commands that need the server. Nothing here imports Django before a command runs."""
