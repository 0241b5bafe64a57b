"""What makes calls of agents fewer, smaller and earlier."""
