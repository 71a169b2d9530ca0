"""What is allowed: pure functions on columns. No I/O, no clock."""
