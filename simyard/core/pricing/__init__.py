"""What things cost: prices in the base currency, exchange rates, and the offers they make."""
