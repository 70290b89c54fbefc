"""What comes from and goes to other registries and installations."""
