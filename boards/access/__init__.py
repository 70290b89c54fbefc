"""Actors, permissions, and the secrets that the database stores sealed."""
