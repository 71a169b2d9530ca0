"""Wiring: run it."""
