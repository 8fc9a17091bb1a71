"""Values every other layer may use; imports nothing of ours."""
