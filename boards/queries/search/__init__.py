"""Finding versions and models: filters, orders and pages."""
