"""Gateways: one module for each kind of box or app that hands in messages, and the endpoint all of them call."""
