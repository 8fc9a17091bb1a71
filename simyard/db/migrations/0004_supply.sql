-- Where numbers come from: pools, what they charge, and the numbers themselves.

CREATE TABLE pool (
    id                 bigint GENERATED ALWAYS AS IDENTITY (START WITH 3001) PRIMARY KEY,
    name               text NOT NULL CONSTRAINT pool_name_taken UNIQUE CHECK (name <> ''),
    kind               text NOT NULL CHECK (kind IN ('direct', 'partner', 'upstream', 'sandbox')),
    supplier_id        bigint REFERENCES account (id),
    enabled            boolean NOT NULL DEFAULT true,
    -- A pool reserved for one service sells nothing else.
    reserved_for       smallint REFERENCES service (id),
    share_basis_points integer NOT NULL CHECK (share_basis_points BETWEEN 0 AND 10000),
    rent_allowed       boolean NOT NULL DEFAULT false,
    -- Past this moment without a report the pool counts as offline.
    online_until       timestamptz NOT NULL DEFAULT '-infinity',
    -- What the supplier stated about the consent of the numbers' owners; nothing is sold before it is there.
    consent            text CHECK (consent <> ''),
    consented_at       timestamptz,
    created_at         timestamptz NOT NULL,
    CHECK ((consent IS NULL) = (consented_at IS NULL)),
    CHECK ((kind = 'direct') <= (supplier_id IS NOT NULL))
);
CREATE INDEX pool_by_supplier ON pool (supplier_id);
ALTER TABLE api_key ADD COLUMN pool_id bigint REFERENCES pool (id);

-- A price with no pool holds for every pool that has none of its own.
CREATE TABLE price (
    service_id smallint NOT NULL REFERENCES service (id),
    country    text NOT NULL REFERENCES country (iso2),
    pool_id    bigint REFERENCES pool (id),
    amount     bigint NOT NULL CHECK (amount >= 0),
    set_at     timestamptz NOT NULL,
    UNIQUE NULLS NOT DISTINCT (country, service_id, pool_id)
);

CREATE TABLE number (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    msisdn      text NOT NULL CONSTRAINT number_taken UNIQUE CHECK (msisdn ~ '^\+[1-9][0-9]{5,14}$'),
    pool_id     bigint NOT NULL REFERENCES pool (id),
    country     text NOT NULL REFERENCES country (iso2),
    operator_id integer REFERENCES mobile_operator (id),
    port        text NOT NULL CHECK (length(port) <= 100),
    placed_at   timestamptz,
    rent        boolean NOT NULL DEFAULT false,
    -- In its supplier's latest list.
    listed      boolean NOT NULL,
    blocked     boolean NOT NULL DEFAULT false,
    -- The open lease. One column, so there is room for one.
    lease_id    bigint,
    available   boolean NOT NULL GENERATED ALWAYS AS (listed AND NOT blocked AND lease_id IS NULL) STORED,
    -- Place in the queue: the transaction that last made the number available (see docs/decisions/0003).
    position    bigint NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX number_shelf ON number (pool_id, country, position, id) WHERE available;
CREATE INDEX number_operator_shelf ON number (pool_id, operator_id, position, id)
    WHERE available AND operator_id IS NOT NULL;
CREATE INDEX number_listed_by_pool ON number (pool_id) WHERE listed;

-- How far each service has got in a shelf: every number up to here was used for it. Deleting rows is always safe.
CREATE TABLE claim_cursor (
    pool_id     bigint NOT NULL,
    country     text NOT NULL,
    operator_id integer NOT NULL,
    service_id  smallint NOT NULL,
    position    bigint NOT NULL,
    number_id   bigint NOT NULL,
    PRIMARY KEY (pool_id, country, operator_id, service_id)
);

-- Stock, kept behind the changes by seconds: numbers available on a shelf, and how many of them a service has used.
CREATE TABLE shelf (
    pool_id   bigint NOT NULL REFERENCES pool (id),
    country   text NOT NULL REFERENCES country (iso2),
    available bigint NOT NULL,
    PRIMARY KEY (country, pool_id)
);
CREATE TABLE shelf_used (
    pool_id    bigint NOT NULL REFERENCES pool (id),
    country    text NOT NULL REFERENCES country (iso2),
    service_id smallint NOT NULL REFERENCES service (id),
    used       bigint NOT NULL,
    PRIMARY KEY (country, pool_id, service_id)
);
-- Numbers whose availability changed since they were last counted, and what was counted of each: the leases up to
-- `through` were taken as its used services.
CREATE TABLE stock_change (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number_id bigint NOT NULL
);
CREATE TABLE stock_counted (
    number_id bigint PRIMARY KEY,
    pool_id   bigint NOT NULL,
    country   text NOT NULL,
    through   bigint NOT NULL
);
