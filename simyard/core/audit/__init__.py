"""The append-only record of what operators did and what was refused for the law's sake."""
