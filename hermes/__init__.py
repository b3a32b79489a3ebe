"""Hermes v2: a local-first agent runtime that its owner can trust to improve itself."""

__all__ = ["__version__"]

__version__ = "0.1.0"
