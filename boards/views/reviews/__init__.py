"""Transition requests, waivers and promotion records."""
