"""Who acts, what they are permitted, and secrets that the database stores sealed."""
