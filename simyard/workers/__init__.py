"""Loops that ask the core for due work."""
