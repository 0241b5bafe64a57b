"""The schema of this project's own tables, and how older databases get there."""
