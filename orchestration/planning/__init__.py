"""From a request in plain words to tasks: planners, and the policy behind every planner."""
