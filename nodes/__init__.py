"""What runs inside a graph's nodes. Node functions are module-level and never raise for a task."""
