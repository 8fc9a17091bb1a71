-- SMS that come when their lease is over.

-- Which lease an SMS that finds none open may have been for; of either kind, or a check.
ALTER TABLE number ADD COLUMN last_lease_id bigint;

-- Those that came moments after: kept for support, in a table of their own so that no query of messages shows one.
CREATE TABLE late_message (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Of either kind.
    lease_id    bigint NOT NULL,
    number_id   bigint NOT NULL REFERENCES number (id),
    sender      text NOT NULL,
    body        text NOT NULL,
    sent_at     timestamptz NOT NULL,
    received_at timestamptz NOT NULL
);
CREATE INDEX late_message_by_lease ON late_message (lease_id, id);
CREATE INDEX late_message_by_number ON late_message (number_id, id);
CREATE INDEX late_message_to_forget ON late_message (received_at);

-- Those that were handed in before, and come again once another lease has their number. Their own time tells them from
-- others with the same text; where it cannot, they are known on their lease alone, and have no number here.
ALTER TABLE message_seen ADD COLUMN number_id bigint;
CREATE INDEX message_seen_on_number ON message_seen (number_id, digest) WHERE number_id IS NOT NULL;
