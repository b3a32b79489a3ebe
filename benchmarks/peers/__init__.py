"""Hermes beside the other agents, against one scripted endpoint in the same run."""
