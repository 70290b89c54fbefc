"""Webhooks: which events go to whom, in what form, signed how, and when they are tried again.

The form is that of Standard Webhooks (https://www.standardwebhooks.com, version 1.0).
"""
