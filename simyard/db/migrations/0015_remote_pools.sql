-- Remote pools: numbers that lie with a partner or another platform. How each is spoken to, what it offers, and what it
-- holds for us.

CREATE TABLE remote_profile (
    pool_id       bigint PRIMARY KEY REFERENCES pool (id),
    protocol      text NOT NULL CHECK (protocol <> ''),
    url           text NOT NULL CHECK (url <> ''),
    key           text NOT NULL,
    -- Of the key its pushes carry, where that is no supplier's API key.
    key_in_digest bytea CONSTRAINT remote_key_in_taken UNIQUE,
    switches      jsonb NOT NULL DEFAULT '{}',
    enabled       boolean NOT NULL DEFAULT true,
    -- When its stock, and its messages where they must be asked for, are due to be asked for.
    stock_due_at  timestamptz NOT NULL,
    poll_due_at   timestamptz NOT NULL,
    stocked_at    timestamptz,
    stock_problem text CHECK (length(stock_problem) <= 200),
    -- Our money there, in micros of the base currency.
    balance       bigint,
    -- Failures in a row, and until when nothing is asked of it after too many.
    failures      integer NOT NULL DEFAULT 0,
    open_until    timestamptz NOT NULL DEFAULT '-infinity',
    failed_at     timestamptz,
    failure       text CHECK (length(failure) <= 200)
);

-- What each offers, in its own names, as of its latest report. No operator name: the total of the country. How long that
-- holds is the pool's `online_until`.
CREATE TABLE remote_offer (
    pool_id       bigint NOT NULL REFERENCES pool (id),
    country_name  text NOT NULL CHECK (length(country_name) <= 100),
    service_name  text NOT NULL CHECK (length(service_name) <= 100),
    operator_name text NOT NULL CHECK (length(operator_name) <= 100),
    country       text NOT NULL REFERENCES country (iso2),
    service_id    smallint NOT NULL REFERENCES service (id),
    operator_id   integer REFERENCES mobile_operator (id),
    -- What the source takes, in micros of the base currency; NULL: our price.
    price         bigint CHECK (price >= 0),
    stock         integer NOT NULL CHECK (stock >= 0),
    PRIMARY KEY (pool_id, country_name, service_name, operator_name)
);
CREATE INDEX remote_offer_by_want ON remote_offer (country, service_id, pool_id);

-- Names in a stock report that nobody here knows, counted once a report.
CREATE TABLE remote_unknown_name (
    pool_id       bigint NOT NULL REFERENCES pool (id),
    kind          text NOT NULL CHECK (kind IN ('country', 'service', 'operator')),
    name          text NOT NULL CHECK (length(name) <= 100),
    count         bigint NOT NULL,
    first_seen_at timestamptz NOT NULL,
    last_seen_at  timestamptz NOT NULL,
    PRIMARY KEY (pool_id, kind, name)
);

-- What was asked of a source for a lease, and how that stands. An order that tries several pools has a lease each.
CREATE TABLE remote_lease (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lease_id    bigint NOT NULL,
    pool_id     bigint NOT NULL REFERENCES pool (id),
    state       text NOT NULL CHECK (state IN ('asking', 'held', 'ambiguous', 'finishing', 'done')),
    wish        bytea NOT NULL,
    remote_id   text CHECK (remote_id <> '' AND length(remote_id) <= 200),
    msisdn      text,
    -- What the source takes for it, in micros of the base currency.
    cost        bigint,
    -- What the supplier earns.
    amount      bigint NOT NULL,
    currency    text NOT NULL,
    ending      text CHECK (ending IN ('sold', 'canceled', 'not_for_service', 'refunded')),
    -- The buyer wants another message, and the source has not been told.
    next_wanted boolean NOT NULL DEFAULT false,
    asked_at    timestamptz NOT NULL,
    -- When it was last known to change, and when something is to be done about it.
    changed_at  timestamptz NOT NULL,
    due_at      timestamptz NOT NULL DEFAULT 'infinity',
    tries       integer NOT NULL DEFAULT 0,
    -- What an operator has to look at.
    problem     text CHECK (length(problem) <= 200),
    CHECK ((remote_id IS NULL) = (msisdn IS NULL)),
    CHECK (remote_id IS NOT NULL OR state IN ('asking', 'ambiguous', 'done')),
    CHECK (ending IS NOT NULL OR state <> 'finishing')
) WITH (fillfactor = 80);
CREATE INDEX remote_lease_by_lease ON remote_lease (lease_id);
CREATE INDEX remote_lease_by_remote_id ON remote_lease (pool_id, remote_id);
CREATE UNIQUE INDEX remote_lease_one_held ON remote_lease (lease_id) WHERE state IN ('asking', 'held');
CREATE UNIQUE INDEX remote_lease_of_one_remote_id ON remote_lease (pool_id, remote_id)
    WHERE state IN ('held', 'finishing');
CREATE INDEX remote_lease_due ON remote_lease (due_at) WHERE due_at < 'infinity';
CREATE INDEX remote_lease_held ON remote_lease (pool_id) WHERE state = 'held';
CREATE INDEX remote_lease_problem ON remote_lease (changed_at) WHERE problem IS NOT NULL;

-- A lease of a remote pool must be ended there too.
ALTER TABLE activation ADD COLUMN remote boolean NOT NULL DEFAULT false;
-- Keys of orders whose outcome is still to come.
CREATE INDEX idempotency_open ON idempotency (lease_id) WHERE outcome IS NULL AND lease_id IS NOT NULL;
