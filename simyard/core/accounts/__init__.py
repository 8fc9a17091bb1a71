"""Accounts and the keys they call with."""
