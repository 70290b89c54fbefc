"""The demo registry: real models, worked forward by rules."""
