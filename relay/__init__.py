"""The embedded Nostr relay. Empty until the mesh is built (docs/decisions/0001-layers.md)."""
