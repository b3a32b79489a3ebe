"""A made-up past: sessions with planted facts, traps and junk, and questions with answers."""
