"""Money coming in: bank accounts that stand for wallets, and deposits, each credited once."""
