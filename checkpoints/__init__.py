"""Where runs are kept: checkpointers, thread rows with leases, the store."""
