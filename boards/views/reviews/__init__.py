"""Transition requests and waivers."""
