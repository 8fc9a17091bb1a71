"""What suppliers earn: pending first, then theirs to spend or to be paid out."""
