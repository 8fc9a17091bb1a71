-- Rentals of numbers that lie with a partner: a rental can wait for its number, or fail to get one, as an activation can.

ALTER TABLE rental ALTER COLUMN number_id DROP NOT NULL, ALTER COLUMN msisdn DROP NOT NULL;
ALTER TABLE rental DROP CONSTRAINT rental_state_check, DROP CONSTRAINT rental_check3;
-- What they are computed from changes, and that cannot be altered. Their indexes go with them.
ALTER TABLE rental DROP COLUMN is_open, DROP COLUMN due_at;
ALTER TABLE rental
    ADD COLUMN remote boolean NOT NULL DEFAULT false,
    ADD COLUMN is_open boolean NOT NULL
        GENERATED ALWAYS AS (state IN ('acquiring', 'waiting', 'active')) STORED,
    -- When something happens by itself: the first SMS is overdue, or the time is over. One that waits for its number is
    -- seen to with what its source was asked for.
    ADD COLUMN due_at timestamptz NOT NULL
        GENERATED ALWAYS AS (CASE state WHEN 'acquiring' THEN 'infinity' WHEN 'waiting' THEN confirm_by
                                        ELSE expires_at END) STORED,
    ADD CONSTRAINT rental_state_check
        CHECK (state IN ('acquiring', 'waiting', 'active', 'failed', 'canceled', 'expired', 'ended')),
    ADD CONSTRAINT rental_closed CHECK ((state IN ('acquiring', 'waiting', 'active')) = (closed_at IS NULL)),
    ADD CONSTRAINT rental_has_number
        CHECK ((number_id IS NULL) = (state IN ('acquiring', 'failed'))
               AND (msisdn IS NULL) = (state IN ('acquiring', 'failed'))),
    -- Only a source elsewhere has to be waited for.
    ADD CONSTRAINT rental_acquired CHECK (remote OR state NOT IN ('acquiring', 'failed'));
CREATE UNIQUE INDEX rental_one_open_per_number ON rental (number_id) WHERE is_open;
CREATE INDEX rental_due ON rental (due_at) WHERE is_open;

-- An offer for no service is one to rent.
ALTER TABLE remote_offer ALTER COLUMN service_id DROP NOT NULL;
