-- Mail on its way out. Rows are written in the transaction that causes them and sent by a worker.

CREATE TABLE mail (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recipient       text NOT NULL CHECK (length(recipient) BETWEEN 3 AND 254),
    subject         text NOT NULL CHECK (length(subject) <= 200),
    -- NULL once it was sent or given up: it may hold a secret.
    body            text,
    state           text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'failed')),
    attempts        integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    created_at      timestamptz NOT NULL,
    closed_at       timestamptz,
    CHECK ((state = 'pending') = (next_attempt_at IS NOT NULL)),
    CHECK ((state = 'pending') = (body IS NOT NULL)),
    CHECK ((state = 'pending') = (closed_at IS NULL))
);
CREATE INDEX mail_due ON mail (next_attempt_at) WHERE state = 'pending';
CREATE INDEX mail_closed ON mail (closed_at) WHERE closed_at IS NOT NULL;
