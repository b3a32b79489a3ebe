"""Curating: the owner's conversations as training data, with nothing secret left in them."""
