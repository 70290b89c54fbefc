"""The demo registry: real models, worked forward by rules."""

NOTICE = "Demo: real timm models with their measured metrics; the dates are simulated."
