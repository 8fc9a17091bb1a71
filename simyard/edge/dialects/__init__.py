"""One package for each vendor whose protocol is spoken."""
