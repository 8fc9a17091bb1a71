-- Checks of numbers: a supplier says that a number is his; one that receives what we send to it is.

-- A lease of the platform's own: while it is open the number is nobody else's.
CREATE TABLE number_check (
    id         bigint PRIMARY KEY,
    number_id  bigint NOT NULL REFERENCES number (id),
    pool_id    bigint NOT NULL REFERENCES pool (id),
    challenge  text NOT NULL,
    state      text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'proved', 'expired')),
    -- When it ends: its time is over, or the challenge has come.
    due_at     timestamptz NOT NULL,
    actor      text NOT NULL,
    started_at timestamptz NOT NULL,
    proved_at  timestamptz,
    closed_at  timestamptz,
    CHECK ((state = 'proved') = (proved_at IS NOT NULL)),
    CHECK (state <> 'expired' OR closed_at IS NOT NULL)
);
CREATE UNIQUE INDEX number_check_one_open ON number_check (number_id) WHERE closed_at IS NULL;
CREATE INDEX number_check_due ON number_check (due_at) WHERE closed_at IS NULL;
CREATE INDEX number_check_by_number ON number_check (number_id, id);

-- Proved for the pool that had it then: whoever lists it later has to prove it anew.
ALTER TABLE number ADD COLUMN proved_at timestamptz, ADD COLUMN proved_for bigint REFERENCES pool (id),
    ADD CONSTRAINT number_is_proved_for_a_pool CHECK ((proved_at IS NULL) = (proved_for IS NULL));
