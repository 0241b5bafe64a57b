"""Which agents there are, as a file or the environment says it."""
