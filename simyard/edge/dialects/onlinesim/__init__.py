"""Onlinesim's buyer API (`/api/<method>`), from the vendor's pages, its official clients and what they were seen to get."""
