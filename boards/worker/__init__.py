"""The worker: deliveries, and chores such as the daily heads and the removal of old rows."""
