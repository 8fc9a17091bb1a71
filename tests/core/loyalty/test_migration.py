"""The migration that adds spending: what was there before counts."""

from __future__ import annotations

import asyncpg

from simyard.db.migrate import migrate, read_migrations

BEFORE = """
    INSERT INTO account (id, email, role, state, created_at) OVERRIDING SYSTEM VALUE
    VALUES (1, 'one@example.com', 'buyer', 'active', now()), (2, 'two@example.com', 'buyer', 'active', now());
    INSERT INTO ledger_account (id, kind, account_id, currency) OVERRIDING SYSTEM VALUE
    VALUES (901, 'available', 1, 'USD'), (902, 'held', 1, 'USD'), (903, 'available', 2, 'USD'), (904, 'held', 2, 'USD'),
           (905, 'revenue', NULL, 'USD'), (906, 'bank', NULL, 'USD'), (907, 'escrow', NULL, 'USD');
    INSERT INTO wallet (account_id, currency, available_id, held_id) VALUES (1, 'USD', 901, 902), (2, 'USD', 903, 904);
    INSERT INTO transfer (reference, kind, debit_id, credit_id, currency, amount, created_at)
    VALUES ('d', 'deposit', 906, 901, 'USD', 1000, now()), ('h', 'hold', 901, 902, 'USD', 300, now()),
           ('m', 'margin', 902, 905, 'USD', 50, now()), ('e', 'earning', 902, 903, 'USD', 100, now()),
           ('r', 'release', 902, 901, 'USD', 20, now()), ('c', 'capture', 901, 907, 'USD', 7, now()),
           ('p', 'payment', 901, 903, 'USD', 5, now());
"""


async def test_what_was_spent_before_counts(empty_database_url: str) -> None:
    migrations = read_migrations()
    await migrate(empty_database_url, [one for one in migrations if one.number < 14])
    connection = await asyncpg.connect(empty_database_url)
    try:
        await connection.execute(BEFORE)
        await migrate(empty_database_url, migrations)
        found = await connection.fetch("SELECT account_id, spent FROM wallet ORDER BY 1")
        assert [tuple(row) for row in found] == [(1, 157), (2, 0)]
    finally:
        await connection.close()
