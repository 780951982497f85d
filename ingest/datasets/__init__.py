"""Dataset adapters: what reads a format and yields batches of items."""
