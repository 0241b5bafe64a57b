"""From requests in plain words to tasks that may run."""
