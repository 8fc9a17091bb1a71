"""Idempotency keys: what makes a command that moves money repeatable."""
