-- Money coming in: bank accounts that stand for wallets at whoever takes deposits for us, and each deposit on its way from
-- a notification to a credit. A notification says only that something is to be looked at; what is credited was asked for.

CREATE TABLE virtual_account (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id      bigint NOT NULL REFERENCES wallet (account_id),
    -- What its owner knows it by.
    public_id       text NOT NULL CONSTRAINT virtual_account_public_id_taken UNIQUE CHECK (public_id ~ '^va_[0-9a-z]{8}$'),
    provider        text NOT NULL,
    state           text NOT NULL DEFAULT 'creating' CHECK (state IN ('creating', 'open', 'failed')),
    bank_code       text NOT NULL,
    currency        text NOT NULL,
    -- What the provider said.
    bank_name       text,
    account_number  text,
    account_name    text,
    provider_id     text,
    attempts        integer NOT NULL DEFAULT 1,
    -- While it is being created: whether somebody asks the provider now, and when that attempt counts as lost; or else
    -- when the provider is asked again.
    in_flight       boolean NOT NULL DEFAULT true,
    next_attempt_at timestamptz,
    problem         text CHECK (length(problem) <= 200),
    created_at      timestamptz NOT NULL,
    CONSTRAINT virtual_account_of_one_wallet UNIQUE (provider, account_number),
    CHECK ((state = 'open') = (account_number IS NOT NULL)),
    CHECK (num_nulls(bank_name, account_number, account_name) IN (0, 3)),
    CHECK ((state = 'creating') = (next_attempt_at IS NOT NULL))
);
CREATE UNIQUE INDEX virtual_account_one_creating ON virtual_account (account_id, provider, bank_code)
    WHERE state = 'creating';
CREATE INDEX virtual_account_by_account ON virtual_account (account_id, id);
CREATE INDEX virtual_account_due ON virtual_account (next_attempt_at) WHERE state = 'creating';

-- One row for each payment a provider told us of, however often it did.
CREATE TABLE deposit (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider           text NOT NULL,
    reference          text NOT NULL CHECK (length(reference) BETWEEN 1 AND 100),
    state              text NOT NULL DEFAULT 'seen' CHECK (state IN ('seen', 'credited', 'refused')),
    reason             text CHECK (length(reason) <= 200),
    -- What the provider answered when it was asked.
    virtual_account_id bigint REFERENCES virtual_account (id),
    currency           text,
    amount             bigint,
    attempts           integer NOT NULL DEFAULT 0,
    next_attempt_at    timestamptz,
    problem            text CHECK (length(problem) <= 200),
    seen_at            timestamptz NOT NULL,
    closed_at          timestamptz,
    CONSTRAINT deposit_once UNIQUE (provider, reference),
    CHECK ((state = 'seen') = (next_attempt_at IS NOT NULL)),
    CHECK ((state = 'seen') = (closed_at IS NULL)),
    CHECK ((state = 'refused') = (reason IS NOT NULL)),
    CHECK (state <> 'credited' OR (virtual_account_id IS NOT NULL AND currency IS NOT NULL AND amount > 0))
);
CREATE INDEX deposit_due ON deposit (next_attempt_at) WHERE state = 'seen';
CREATE INDEX deposit_by_virtual_account ON deposit (virtual_account_id, id);
CREATE INDEX deposit_refused ON deposit (id) WHERE state = 'refused';

-- The books of the provider that exists only for development: what was paid into its accounts, in the currency's coins.
CREATE TABLE sandbox_payment (
    reference      text PRIMARY KEY CHECK (length(reference) BETWEEN 1 AND 100),
    account_number text NOT NULL,
    currency       text NOT NULL,
    amount_minor   bigint NOT NULL,
    paid_at        timestamptz NOT NULL
);
