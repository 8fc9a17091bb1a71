"""Where the outside speaks to us: HTTP dialects, pages and the command line."""
