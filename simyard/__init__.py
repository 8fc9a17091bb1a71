"""Simyard: a self-hosted platform that leases phone numbers for receiving SMS."""

__version__ = "0.1.0"
