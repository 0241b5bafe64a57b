"""From tasks to LangGraph: the pure planner, and one builder for each strategy."""
