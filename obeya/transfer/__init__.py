"""Import from and export to other registries and installations."""
