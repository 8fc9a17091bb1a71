"""Remote pools: partners and upstreams, what they offer, and the leases they hold for us."""
