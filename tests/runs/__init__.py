"""What tests of whole runs share: a small world of records and registers, and a place to run."""
