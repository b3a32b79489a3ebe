"""Ember's curriculum: conversations that exercise this runtime's tools, made from phrasings."""

from training.curriculum.dialogue import conversation, conversations

__all__ = ["conversation", "conversations"]
