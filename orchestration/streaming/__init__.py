"""What happens in a run, as one stream of events that can be read again from any of them."""
