"""Rentals: a number for days, for any sender."""
