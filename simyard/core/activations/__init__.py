"""Activations: one service on one number for some minutes."""
