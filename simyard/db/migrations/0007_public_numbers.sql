-- Public ("free") numbers: never leased, their messages are shown to everybody.

DROP INDEX number_shelf;
DROP INDEX number_operator_shelf;
ALTER TABLE number DROP COLUMN available;
ALTER TABLE number ADD COLUMN published_at timestamptz;
ALTER TABLE number ADD COLUMN available boolean NOT NULL GENERATED ALWAYS AS
    (listed AND NOT blocked AND lease_id IS NULL AND published_at IS NULL) STORED;
ALTER TABLE number ADD CONSTRAINT number_is_public_or_leased CHECK (published_at IS NULL OR lease_id IS NULL);
CREATE INDEX number_shelf ON number (pool_id, country, position, id) WHERE available;
CREATE INDEX number_operator_shelf ON number (pool_id, operator_id, position, id)
    WHERE available AND operator_id IS NOT NULL;
CREATE INDEX number_rent_shelf ON number (pool_id, country, position, id) WHERE available AND rent;
CREATE INDEX number_public ON number (country, published_at) WHERE published_at IS NOT NULL;

-- The sender is stored masked: what is not shown is not kept.
CREATE TABLE public_message (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number_id   bigint NOT NULL REFERENCES number (id),
    sender      text NOT NULL,
    body        text NOT NULL,
    -- Tells a repeat; NULL once none can come.
    digest      bytea,
    sent_at     timestamptz,
    received_at timestamptz NOT NULL
);
CREATE INDEX public_message_by_number ON public_message (number_id, id);
CREATE INDEX public_message_to_erase ON public_message (received_at);
CREATE INDEX public_message_seen ON public_message (number_id, digest) WHERE digest IS NOT NULL;
CREATE INDEX public_message_to_forget ON public_message (received_at) WHERE digest IS NOT NULL;
