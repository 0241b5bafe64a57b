"""Values that everything else speaks in: tasks, plans, outcomes, results, errors. No I/O."""
