"""What tests and benchmarks of detection share: Presidio itself, and texts that are hard to read."""
