"""Personal information: what becomes of it."""
