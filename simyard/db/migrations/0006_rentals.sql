-- Rentals: a number for days, for any sender. Each charged period keeps what it cost and how it is divided; the money
-- waits in escrow from the first SMS on and is divided when the rental ends.

-- A tariff with no pool holds for every pool that has none of its own.
CREATE TABLE rental_price (
    country text NOT NULL REFERENCES country (iso2),
    days    smallint NOT NULL CHECK (days BETWEEN 1 AND 365),
    pool_id bigint REFERENCES pool (id),
    amount  bigint NOT NULL CHECK (amount >= 0),
    set_at  timestamptz NOT NULL,
    UNIQUE NULLS NOT DISTINCT (country, days, pool_id)
);

CREATE TABLE rental (
    id               bigint PRIMARY KEY DEFAULT nextval('lease_id'),
    account_id       bigint NOT NULL REFERENCES account (id),
    pool_id          bigint NOT NULL REFERENCES pool (id),
    number_id        bigint NOT NULL REFERENCES number (id),
    msisdn           text NOT NULL,
    country          text NOT NULL REFERENCES country (iso2),
    state            text NOT NULL CHECK (state IN ('waiting', 'active', 'canceled', 'expired', 'ended')),
    is_open          boolean NOT NULL GENERATED ALWAYS AS (state IN ('waiting', 'active')) STORED,
    auto_extend      boolean NOT NULL,
    currency         text NOT NULL,
    supplier_id      bigint REFERENCES account (id),
    earning_currency text NOT NULL,
    messages         integer NOT NULL DEFAULT 0,
    ordered_at       timestamptz NOT NULL,
    -- When it ends without a first SMS.
    confirm_by       timestamptz NOT NULL,
    confirmed_at     timestamptz,
    expires_at       timestamptz NOT NULL,
    -- When something happens by itself: the first SMS is overdue, or the time is over.
    due_at           timestamptz NOT NULL GENERATED ALWAYS AS
                     (CASE WHEN state = 'waiting' THEN confirm_by ELSE expires_at END) STORED,
    closed_at        timestamptz,
    CHECK (expires_at > ordered_at AND confirm_by > ordered_at),
    CHECK ((confirmed_at IS NOT NULL) = (messages > 0)),
    CHECK ((state IN ('active', 'ended')) = (confirmed_at IS NOT NULL)),
    CHECK ((state IN ('waiting', 'active')) = (closed_at IS NULL))
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX rental_one_open_per_number ON rental (number_id) WHERE is_open;
CREATE INDEX rental_by_number ON rental (number_id);
CREATE INDEX rental_by_account ON rental (account_id, id);
CREATE INDEX rental_due ON rental (due_at) WHERE is_open;

-- What was charged: the order's period is the first, each extension adds one.
CREATE TABLE rental_period (
    rental_id  bigint NOT NULL REFERENCES rental (id),
    ordinal    integer NOT NULL CHECK (ordinal >= 1),
    days       smallint NOT NULL CHECK (days > 0),
    price      bigint NOT NULL CHECK (price >= 0),
    margin     bigint NOT NULL CHECK (margin BETWEEN 0 AND price),
    earning    bigint NOT NULL CHECK (earning >= 0),
    automatic  boolean NOT NULL,
    charged_at timestamptz NOT NULL,
    PRIMARY KEY (rental_id, ordinal)
);

-- Messages and idempotency keys belong to a lease of either kind; both kinds take their ids from one sequence.
ALTER TABLE message ALTER COLUMN activation_id DROP NOT NULL;
ALTER TABLE message ADD COLUMN rental_id bigint REFERENCES rental (id);
ALTER TABLE message ADD CONSTRAINT message_of_one_lease CHECK (num_nonnulls(activation_id, rental_id) = 1);
CREATE INDEX message_by_rental ON message (rental_id, id) WHERE rental_id IS NOT NULL;
ALTER TABLE message_seen DROP CONSTRAINT message_seen_activation_id_fkey;
ALTER TABLE message_seen RENAME COLUMN activation_id TO lease_id;
ALTER TABLE idempotency DROP CONSTRAINT idempotency_activation_id_fkey;
ALTER TABLE idempotency RENAME COLUMN activation_id TO lease_id;

-- SMS that Simyard makes for rentals of fictitious numbers.
ALTER TABLE sandbox_message DROP CONSTRAINT sandbox_message_activation_id_fkey;
ALTER TABLE sandbox_message RENAME COLUMN activation_id TO lease_id;

-- The stock of numbers that can be rented.
ALTER TABLE shelf ADD COLUMN rentable bigint NOT NULL DEFAULT 0;
ALTER TABLE stock_counted ADD COLUMN rent boolean NOT NULL DEFAULT false;
INSERT INTO stock_change (number_id) SELECT id FROM number WHERE rent;

-- Money of rentals that run: paid by the buyer, not divided yet.
ALTER TABLE ledger_account DROP CONSTRAINT ledger_account_kind_check;
ALTER TABLE ledger_account ADD CONSTRAINT ledger_account_kind_check
    CHECK (kind IN ('available', 'held', 'revenue', 'clearing', 'bank', 'escrow'));
INSERT INTO ledger_account (kind, account_id, currency)
SELECT DISTINCT 'escrow', NULL::bigint, currency FROM ledger_account WHERE account_id IS NULL;
ALTER TABLE transfer DROP CONSTRAINT transfer_kind_check;
ALTER TABLE transfer ADD CONSTRAINT transfer_kind_check
    CHECK (kind IN ('deposit', 'payment', 'hold', 'release', 'capture', 'earning', 'margin', 'exchange'));
