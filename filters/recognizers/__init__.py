"""Recognisers of our own: the profile `strict`, and secrets."""
