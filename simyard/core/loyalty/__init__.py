"""What spending earns: tiers, and the cashback they pay."""
