"""People's names and places, through NLP engines."""
