"""The mesh: how the owner's nodes find each other, and how messages reach where they belong."""
