-- Activations, the messages that came in for them, and the keys that make an order repeatable.

-- Below 2^31: clients of some protocols read lease ids into 32 bits.
CREATE SEQUENCE lease_id AS integer START WITH 10000;

CREATE TABLE activation (
    id               bigint PRIMARY KEY DEFAULT nextval('lease_id'),
    account_id       bigint NOT NULL REFERENCES account (id),
    pool_id          bigint NOT NULL REFERENCES pool (id),
    number_id        bigint REFERENCES number (id),
    msisdn           text,
    country          text NOT NULL REFERENCES country (iso2),
    service_id       smallint NOT NULL REFERENCES service (id),
    -- The buyer's own names for what was ordered.
    service_label    text NOT NULL CHECK (length(service_label) <= 200),
    country_label    text NOT NULL CHECK (length(country_label) <= 200),
    state            text NOT NULL CHECK (state IN
                     ('acquiring', 'waiting', 'received', 'waiting_again', 'failed', 'canceled', 'expired', 'finished')),
    is_open          boolean NOT NULL GENERATED ALWAYS AS
                     (state IN ('acquiring', 'waiting', 'received', 'waiting_again')) STORED,
    -- A number of a fictitious range may serve the same service again.
    repeatable       boolean NOT NULL DEFAULT false,
    price            bigint NOT NULL CHECK (price >= 0),
    currency         text NOT NULL,
    margin           bigint NOT NULL CHECK (margin BETWEEN 0 AND price),
    earning          bigint NOT NULL CHECK (earning >= 0),
    earning_currency text NOT NULL,
    supplier_id      bigint REFERENCES account (id),
    code             text,
    messages         integer NOT NULL DEFAULT 0,
    ordered_at       timestamptz NOT NULL,
    expires_at       timestamptz NOT NULL,
    received_at      timestamptz,
    closed_at        timestamptz,
    CHECK ((number_id IS NULL) = (msisdn IS NULL)),
    CHECK (number_id IS NOT NULL OR state IN ('acquiring', 'failed')),
    CHECK ((received_at IS NOT NULL) = (messages > 0)),
    CHECK (state NOT IN ('canceled', 'expired', 'failed') OR messages = 0),
    CHECK (supplier_id IS NOT NULL OR earning = 0)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX activation_one_open_per_number ON activation (number_id) WHERE is_open;
CREATE UNIQUE INDEX activation_number_serves_a_service_once ON activation (number_id, service_id)
    WHERE NOT repeatable;
CREATE INDEX activation_by_account ON activation (account_id, id);
CREATE INDEX activation_due ON activation (expires_at) WHERE is_open;

CREATE TABLE message (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    activation_id bigint NOT NULL REFERENCES activation (id),
    sender        text NOT NULL,
    -- NULL once erased.
    body          text,
    code          text,
    sent_at       timestamptz NOT NULL,
    received_at   timestamptz NOT NULL
);
CREATE INDEX message_by_activation ON message (activation_id, id);
CREATE INDEX message_to_erase ON message (received_at) WHERE body IS NOT NULL;

-- What tells a repeated delivery of an SMS from a new one.
CREATE TABLE message_seen (
    activation_id bigint NOT NULL REFERENCES activation (id),
    digest        bytea NOT NULL,
    sent_at       timestamptz,
    seen_at       timestamptz NOT NULL,
    PRIMARY KEY (activation_id, digest)
);
CREATE INDEX message_seen_to_forget ON message_seen (seen_at);

-- Messages that were not delivered are counted, never kept.
CREATE TABLE message_dropped (
    pool_id bigint NOT NULL REFERENCES pool (id),
    day     date NOT NULL,
    reason  text NOT NULL,
    count   bigint NOT NULL,
    PRIMARY KEY (pool_id, day, reason)
);
-- Attempts to receive one service on a number ordered for another, by the buyer's account.
CREATE TABLE misuse (
    account_id bigint NOT NULL REFERENCES account (id),
    day        date NOT NULL,
    count      bigint NOT NULL,
    PRIMARY KEY (account_id, day)
);

-- SMS that Simyard still has to make for activations on fictitious numbers.
CREATE TABLE sandbox_message (
    activation_id bigint PRIMARY KEY REFERENCES activation (id),
    due_at        timestamptz NOT NULL
);
CREATE INDEX sandbox_message_due ON sandbox_message (due_at);

CREATE TABLE idempotency (
    account_id    bigint NOT NULL REFERENCES account (id),
    key           text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    fingerprint   bytea NOT NULL,
    activation_id bigint REFERENCES activation (id),
    outcome       bytea,
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (account_id, key)
);
CREATE INDEX idempotency_to_forget ON idempotency (created_at);
