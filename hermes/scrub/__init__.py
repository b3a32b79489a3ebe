"""Finding and replacing secrets and personal data in text: before it is kept, or leaves."""
