"""The demo registry: real models, with moves simulated by rules."""
