"""Pools whose numbers lie with somebody else: asked for, polled and given back over the network."""
