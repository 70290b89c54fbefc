"""Send messages: the worker and its deliveries."""
