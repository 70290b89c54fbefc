"""Sending messages: what a worker does with deliveries that are due."""
