"""Accounts, their permissions, tokens and credentials, and the models that they can see."""
