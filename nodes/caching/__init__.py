"""Answers that are used again: one call for all who ask the same at the same time."""
