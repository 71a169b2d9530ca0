"""A second opinion on a finished run, by another engine than the one that made it."""
