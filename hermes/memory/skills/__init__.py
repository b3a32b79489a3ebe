"""Skills in the open Agent Skills format: read, found, trusted, matched, used."""
