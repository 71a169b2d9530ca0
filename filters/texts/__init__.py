"""Columns of any shape → the texts in them, and back."""
