"""A mesh of many nodes in one process: the live node's state machines, a made-up network."""
