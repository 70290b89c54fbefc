"""The filter language of searches and lists."""
