"""Personal information: where it is in texts."""
