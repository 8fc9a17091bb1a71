"""Checks of numbers: whether an SMS that is sent to a number really comes in by way of the supplier who claims it."""
