"""The training runtime. Empty until Ember is built (docs/decisions/0001-layers.md)."""
