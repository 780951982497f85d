"""From the items of a store to vectors in a space: planned, altered, batched, encoded, written."""
