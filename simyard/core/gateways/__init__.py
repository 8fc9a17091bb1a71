"""Gateways: boxes and apps that hand in the SMS of SIM cards, and which number each SIM is."""
