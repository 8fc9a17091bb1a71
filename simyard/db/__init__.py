"""PostgreSQL: transactions, lanes, the due loop, SQL files, migrations, the embedded server."""
