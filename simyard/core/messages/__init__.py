"""Messages: what arrived on a number, whose it is, and the code it carries."""
