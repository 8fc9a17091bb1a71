"""How good what pools sell is: counted by country and service, shown, and heeded when a pool is chosen."""
