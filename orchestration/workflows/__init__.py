"""Workflow definitions: files that are read into `Workflow` values, and where they are found."""
