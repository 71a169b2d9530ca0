"""What tests and benchmarks of detection share: Presidio itself, and texts hard to read."""
