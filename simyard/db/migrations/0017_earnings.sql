-- Earnings: what a supplier earned is pending first, so that a sale can be taken back while it is still there. What he owes
-- after one that cannot be taken from him is a debt, which later earnings pay off. Payouts: earnings on their way out.

ALTER TABLE ledger_account DROP CONSTRAINT ledger_account_kind_check;
ALTER TABLE ledger_account ADD CONSTRAINT ledger_account_kind_check
    CHECK (kind IN ('available', 'held', 'pending', 'debt', 'revenue', 'clearing', 'bank', 'escrow'));
ALTER TABLE ledger_account DROP CONSTRAINT ledger_account_check;
ALTER TABLE ledger_account ADD CONSTRAINT ledger_account_of_an_account
    CHECK ((kind IN ('available', 'held', 'pending', 'debt')) = (account_id IS NOT NULL));
ALTER TABLE transfer DROP CONSTRAINT transfer_kind_check;
ALTER TABLE transfer ADD CONSTRAINT transfer_kind_check
    CHECK (kind IN ('deposit', 'payment', 'hold', 'release', 'capture', 'earning', 'margin', 'exchange', 'referral',
                    'cashback', 'mature', 'payout', 'refund', 'reversal', 'referral_reversal', 'repayment'));
CREATE INDEX transfer_referral_reversal ON transfer (debit_id) INCLUDE (amount) WHERE kind = 'referral_reversal';

INSERT INTO ledger_account (kind, account_id, currency)
SELECT kind, account_id, currency FROM wallet CROSS JOIN unnest(ARRAY['pending', 'debt']) AS kind;
ALTER TABLE wallet
    ADD COLUMN pending_id bigint UNIQUE,
    ADD COLUMN debt_id bigint UNIQUE,
    ADD COLUMN pending bigint NOT NULL DEFAULT 0 CONSTRAINT wallet_pending_not_negative CHECK (pending >= 0),
    ADD COLUMN debt bigint NOT NULL DEFAULT 0 CONSTRAINT wallet_debt_not_negative CHECK (debt >= 0),
    ADD FOREIGN KEY (pending_id, currency) REFERENCES ledger_account (id, currency),
    ADD FOREIGN KEY (debt_id, currency) REFERENCES ledger_account (id, currency);
UPDATE wallet
   SET pending_id = (SELECT id FROM ledger_account WHERE account_id = wallet.account_id AND kind = 'pending'),
       debt_id = (SELECT id FROM ledger_account WHERE account_id = wallet.account_id AND kind = 'debt');
ALTER TABLE wallet ALTER COLUMN pending_id SET NOT NULL, ALTER COLUMN debt_id SET NOT NULL;

-- What a supplier earned with one lease, in his wallet's currency.
CREATE TABLE earning (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lease_id   bigint NOT NULL CONSTRAINT earning_once_of_a_lease UNIQUE,
    account_id bigint NOT NULL REFERENCES wallet (account_id),
    amount     bigint NOT NULL CHECK (amount > 0),
    state      text NOT NULL CHECK (state IN ('pending', 'available', 'reversed')),
    earned_at  timestamptz NOT NULL,
    due_at     timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX earning_due ON earning (due_at) WHERE state = 'pending';
CREATE INDEX earning_by_account ON earning (account_id, earned_at);

-- A sold activation whose buyer was paid back; its supplier's server is still to be told so, if it has one.
CREATE TABLE refund (
    activation_id bigint CONSTRAINT refund_once PRIMARY KEY REFERENCES activation (id),
    -- The buyer got the price back without the cashback he had been paid.
    amount        bigint NOT NULL CHECK (amount >= 0),
    reason        text NOT NULL CHECK (reason <> '' AND length(reason) <= 500),
    refunded_at   timestamptz NOT NULL
);
CREATE INDEX refund_by_time ON refund (refunded_at);

CREATE TABLE payout (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id   bigint NOT NULL REFERENCES wallet (account_id),
    amount       bigint NOT NULL CHECK (amount > 0),
    -- Where the money is to go, in the supplier's words.
    method       text NOT NULL CHECK (method <> '' AND length(method) <= 500),
    state        text NOT NULL DEFAULT 'requested' CHECK (state IN ('requested', 'paid', 'rejected')),
    -- The bank's reference, or why it was rejected.
    note         text CHECK (length(note) <= 500),
    requested_at timestamptz NOT NULL,
    closed_at    timestamptz,
    CHECK ((state = 'requested') = (closed_at IS NULL))
);
CREATE INDEX payout_by_account ON payout (account_id, id);
CREATE INDEX payout_requested ON payout (id) WHERE state = 'requested';
