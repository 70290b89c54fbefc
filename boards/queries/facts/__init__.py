"""What a write may read: rows as the core's records, and the evidence that moves are judged by."""
