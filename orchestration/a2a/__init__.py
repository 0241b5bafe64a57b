"""What speaking A2A 1.0 and serving it have in common, and the client's side of it."""
