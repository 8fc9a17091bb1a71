"""Pools: the sources numbers come from."""
