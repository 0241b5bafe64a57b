"""Ways to reach an agent, behind one port."""
