"""What the product does: verbs that take a transaction and our own words."""
