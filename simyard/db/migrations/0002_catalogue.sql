-- What can be leased: countries, mobile operators and services, kept equal to the packaged catalogue at each start.

CREATE TABLE country (
    iso2         text PRIMARY KEY CHECK (iso2 ~ '^[A-Z]{2}$'),
    name         text NOT NULL,
    calling_code integer NOT NULL CHECK (calling_code BETWEEN 1 AND 9999)
);

CREATE TABLE mobile_operator (
    id      integer PRIMARY KEY,
    plmn    text NOT NULL UNIQUE CHECK (plmn ~ '^[0-9]{5,6}$'),
    country text NOT NULL REFERENCES country (iso2),
    name    text NOT NULL
);

CREATE TABLE service (
    id         smallint PRIMARY KEY,
    slug       text NOT NULL UNIQUE,
    name       text NOT NULL,
    category   text NOT NULL,
    prohibited boolean NOT NULL
);

-- A prohibited service that an operator opened for one account, which proved that it owns the sender.
CREATE TABLE service_permission (
    account_id bigint NOT NULL REFERENCES account (id),
    service_id smallint NOT NULL REFERENCES service (id),
    proof      text NOT NULL CHECK (proof <> ''),
    granted_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, service_id)
);

-- Units of a currency for one unit of the base currency, in billionths.
CREATE TABLE exchange_rate (
    currency   text PRIMARY KEY CHECK (currency ~ '^[A-Z]{3}$'),
    rate_nanos bigint NOT NULL CHECK (rate_nanos > 0),
    set_at     timestamptz NOT NULL
);
