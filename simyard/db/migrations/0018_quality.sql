-- How good what pools sell is, by country and service; and what they do not want to sell. Whoever closes an activation or
-- turns a message away adds a row to a queue; one loop counts the queue, so that no counter is fought for.

CREATE TABLE quality_event (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    activation_id bigint NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('closed', 'prohibited', 'other_service', 'unrecognised', 'blacklisted'))
);

-- By the day (UTC) of the order. An activation counts once it is closed.
CREATE TABLE quality (
    pool_id       bigint NOT NULL REFERENCES pool (id),
    country       text NOT NULL REFERENCES country (iso2),
    service_id    smallint NOT NULL REFERENCES service (id),
    day           date NOT NULL,
    -- Got a number; got an SMS; neither, because the buyer gave up or the time ran out.
    issued        bigint NOT NULL,
    delivered     bigint NOT NULL,
    canceled      bigint NOT NULL,
    expired       bigint NOT NULL,
    -- Was asked for a number it said it had, and gave none.
    failed        bigint NOT NULL,
    prohibited    bigint NOT NULL,
    other_service bigint NOT NULL,
    unrecognised  bigint NOT NULL,
    blacklisted   bigint NOT NULL,
    -- From the order to the first SMS: the sum, and how many lie in each span of core/quality/rules.py.
    seconds       bigint NOT NULL,
    spans         bigint[] NOT NULL,
    PRIMARY KEY (pool_id, country, service_id, day)
) WITH (fillfactor = 70);
CREATE INDEX quality_by_day ON quality (day);

-- What followed from it, for a while: sold no more, or only after all others.
CREATE TABLE pool_standing (
    pool_id       bigint NOT NULL REFERENCES pool (id),
    country       text NOT NULL REFERENCES country (iso2),
    service_id    smallint NOT NULL REFERENCES service (id),
    blocked_until timestamptz NOT NULL DEFAULT '-infinity',
    poor_until    timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (pool_id, country, service_id)
);
-- What its buyer left out may be all there is: that a source has no other number is no fault of it.
ALTER TABLE remote_lease ADD COLUMN choosy boolean NOT NULL DEFAULT false;
CREATE INDEX remote_lease_by_asking ON remote_lease (pool_id, asked_at);

-- Services a supplier will not sell.
CREATE TABLE pool_blacklist (
    pool_id    bigint NOT NULL REFERENCES pool (id),
    service_id smallint NOT NULL REFERENCES service (id),
    set_at     timestamptz NOT NULL,
    PRIMARY KEY (pool_id, service_id)
);
-- Who tells messages of other services from those of the ordered one.
ALTER TABLE pool ADD COLUMN filter_side text NOT NULL DEFAULT 'ours' CHECK (filter_side IN ('ours', 'partner'));

-- What a pool does not sell now; no country: in none.
CREATE VIEW withheld AS
    SELECT pool_id, NULL::text AS country, service_id, 'infinity'::timestamptz AS until FROM pool_blacklist
    UNION ALL
    SELECT pool_id, country, service_id, blocked_until FROM pool_standing WHERE blocked_until > '-infinity';
