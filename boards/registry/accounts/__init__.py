"""Accounts, sign-in links and API tokens."""
