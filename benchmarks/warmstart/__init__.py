"""How good points are that were chosen before any run: from a model, from the textbook, at random."""
