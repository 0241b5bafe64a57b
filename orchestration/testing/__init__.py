"""Doubles that users of the package can test with too."""
