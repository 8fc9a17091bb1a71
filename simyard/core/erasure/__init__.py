"""Erasing a person's data while the books stay whole."""
