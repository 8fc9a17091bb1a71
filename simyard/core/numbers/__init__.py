"""Numbers: reported by suppliers, claimed by leases, counted as stock."""
