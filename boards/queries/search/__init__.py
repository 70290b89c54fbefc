"""Search for versions and models: filters, orders and pages."""
