"""Where records come from and where they go: I/O only."""
