"""The Onlinesim reseller API, for those who supply numbers."""
