"""The graph of batches: which lots went into which batch, which units came out of it."""
