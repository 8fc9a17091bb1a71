"""Admission: who is asking, may they, and is there budget left for it."""
