"""Logins: sessions and their tokens, passwords, mailed tokens, identities of other issuers, and who is slowed down."""
