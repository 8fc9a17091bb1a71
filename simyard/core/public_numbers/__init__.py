"""Public numbers: never leased, their messages are shown to everybody."""
