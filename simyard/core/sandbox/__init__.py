"""The SMS that Simyard makes itself for leases of fictitious numbers, until it has made them."""
