"""Webhooks: subscriptions, payloads, signatures, and the schedule of attempts.

The format is that of Standard Webhooks (https://www.standardwebhooks.com, version 1.0).
"""
