"""Files of versions and runs, and what their inspection found."""
