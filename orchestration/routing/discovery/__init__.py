"""Where agents are found that nobody registers by hand."""
