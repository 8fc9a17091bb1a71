-- Money. A transfer takes one amount from one ledger account and gives it to another of the same currency, so its two
-- entries sum to zero by construction. Transfers are only added; a reference can be used once.

CREATE TABLE ledger_account (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind       text NOT NULL CHECK (kind IN ('available', 'held', 'revenue', 'clearing', 'bank')),
    account_id bigint REFERENCES account (id),
    currency   text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    UNIQUE (id, currency),
    UNIQUE NULLS NOT DISTINCT (kind, account_id, currency),
    CHECK ((kind IN ('available', 'held')) = (account_id IS NOT NULL))
);

-- A wallet keeps the running balances of its two ledger accounts; neither can go below zero. Revenue, clearing and
-- bank accounts are hot and shared: they have no running balance and are summed from entries.
CREATE TABLE wallet (
    account_id   bigint PRIMARY KEY REFERENCES account (id),
    currency     text NOT NULL,
    available_id bigint NOT NULL UNIQUE,
    held_id      bigint NOT NULL UNIQUE,
    available    bigint NOT NULL DEFAULT 0 CONSTRAINT wallet_available_not_negative CHECK (available >= 0),
    held         bigint NOT NULL DEFAULT 0 CONSTRAINT wallet_held_not_negative CHECK (held >= 0),
    FOREIGN KEY (available_id, currency) REFERENCES ledger_account (id, currency),
    FOREIGN KEY (held_id, currency) REFERENCES ledger_account (id, currency)
) WITH (fillfactor = 70);

CREATE TABLE transfer (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reference  text NOT NULL CONSTRAINT transfer_reference_taken UNIQUE,
    kind       text NOT NULL
               CHECK (kind IN ('deposit', 'payment', 'hold', 'release', 'earning', 'margin', 'exchange')),
    debit_id   bigint NOT NULL,
    credit_id  bigint NOT NULL,
    currency   text NOT NULL,
    amount     bigint NOT NULL CHECK (amount > 0),
    created_at timestamptz NOT NULL,
    CHECK (debit_id <> credit_id),
    FOREIGN KEY (debit_id, currency) REFERENCES ledger_account (id, currency),
    FOREIGN KEY (credit_id, currency) REFERENCES ledger_account (id, currency)
);
CREATE INDEX transfer_by_debit ON transfer (debit_id, id);
CREATE INDEX transfer_by_credit ON transfer (credit_id, id);
CREATE TRIGGER transfer_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON transfer
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE VIEW entry AS
    SELECT id AS transfer_id, debit_id AS ledger_account_id, currency, -amount AS amount FROM transfer
    UNION ALL
    SELECT id, credit_id, currency, amount FROM transfer;
