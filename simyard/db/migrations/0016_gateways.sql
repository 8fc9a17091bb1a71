-- Gateways: boxes and apps that hand in the SMS of a direct pool's SIM cards in words of their own. They name a SIM by where it
-- sits, so what number that is has to be known here.

CREATE TABLE gateway (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text NOT NULL CONSTRAINT gateway_name_taken UNIQUE CHECK (length(name) BETWEEN 1 AND 100),
    kind         text NOT NULL,
    pool_id      bigint NOT NULL REFERENCES pool (id),
    -- SHA-256 of the secret part of its address.
    token_digest bytea NOT NULL CONSTRAINT gateway_token_taken UNIQUE,
    -- What it signs with. Kept as it is, because signatures are made anew to be compared.
    secret       text CHECK (secret <> ''),
    -- Where it may call from; empty: anywhere.
    networks     text[] NOT NULL DEFAULT '{}',
    -- Of its clock, for times without a zone; of numbers in national form.
    time_zone    text NOT NULL DEFAULT 'UTC',
    country      text REFERENCES country (iso2),
    -- What only its kind understands.
    options      jsonb NOT NULL DEFAULT '{}',
    enabled      boolean NOT NULL DEFAULT true,
    -- Whether its reports of SIMs put numbers on sale and take them off.
    stocks       boolean NOT NULL DEFAULT false,
    created_at   timestamptz NOT NULL,
    last_seen_at timestamptz
);
CREATE INDEX gateway_by_pool ON gateway (pool_id);

-- The devices behind a gateway. While there is but one, a port needs no device's name before it.
CREATE TABLE gateway_device (
    gateway_id   bigint NOT NULL REFERENCES gateway (id) ON DELETE CASCADE,
    device       text NOT NULL CHECK (length(device) <= 100),
    last_seen_at timestamptz NOT NULL,
    PRIMARY KEY (gateway_id, device)
);

-- Which number a SIM is, by its ICCID or IMSI or by where it sits. Set by an operator, or learnt from the gateway.
CREATE TABLE gateway_sim (
    gateway_id   bigint NOT NULL REFERENCES gateway (id) ON DELETE CASCADE,
    key          text NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
    msisdn       text NOT NULL,
    learnt       boolean NOT NULL,
    set_at       timestamptz NOT NULL,
    -- Another number the gateway said this SIM is.
    contradicted text,
    PRIMARY KEY (gateway_id, key)
);

-- SIMs whose number nobody knows, and how many messages came in on them. Never the messages.
CREATE TABLE gateway_unmatched (
    gateway_id    bigint NOT NULL REFERENCES gateway (id) ON DELETE CASCADE,
    key           text NOT NULL CHECK (length(key) <= 200),
    count         bigint NOT NULL,
    first_seen_at timestamptz NOT NULL,
    last_seen_at  timestamptz NOT NULL,
    PRIMARY KEY (gateway_id, key)
);

-- What recognises a message that is handed in again: its id at the gateway, and what it says on which SIM.
CREATE TABLE gateway_seen (
    gateway_id bigint NOT NULL REFERENCES gateway (id) ON DELETE CASCADE,
    digest     bytea NOT NULL,
    sent_at    timestamptz,
    seen_at    timestamptz NOT NULL,
    PRIMARY KEY (gateway_id, digest)
);
CREATE INDEX gateway_seen_by_age ON gateway_seen (seen_at);

-- What became of a gateway's messages.
CREATE TABLE gateway_outcome (
    gateway_id bigint NOT NULL REFERENCES gateway (id) ON DELETE CASCADE,
    day        date NOT NULL,
    outcome    text NOT NULL,
    count      bigint NOT NULL,
    PRIMARY KEY (gateway_id, day, outcome)
);

-- Numbers by the port their supplier reported, where he reported one.
CREATE INDEX number_by_port ON number (pool_id, port) WHERE listed AND port <> msisdn;
