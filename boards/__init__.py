"""The registry as a web application."""
