"""Transition requests and waivers, as reviewers see them."""
