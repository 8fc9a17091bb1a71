"""What an account is shown about itself: sums over what other modules keep."""
