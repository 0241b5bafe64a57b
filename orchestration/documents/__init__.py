"""Files that people write, in YAML or JSON: their values, where each stands, what is wrong."""
