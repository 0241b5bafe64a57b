"""Who runs a thread from where it stands to its next pause or its end."""
