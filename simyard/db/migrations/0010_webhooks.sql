-- Webhooks: where accounts want to be told of messages, and each announcement on its way there. An announcement names its
-- message and holds no text, so that erasing a message erases it everywhere.

CREATE TABLE webhook_endpoint (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id    bigint NOT NULL REFERENCES account (id),
    -- Whose words it is told in.
    format        text NOT NULL CHECK (format IN ('onlinesim')),
    -- Every message, or the first code of each activation.
    event         text NOT NULL CHECK (event IN ('message', 'code')),
    url           text NOT NULL CHECK (length(url) BETWEEN 1 AND 2000),
    secret        bytea NOT NULL CHECK (length(secret) = 32),
    enabled       boolean NOT NULL DEFAULT true,
    -- Why it was switched off, when not by its owner.
    switched_off  text CHECK (switched_off IN ('gone', 'failing')),
    -- The first failure since the last success.
    failing_since timestamptz,
    created_at    timestamptz NOT NULL,
    changed_at    timestamptz NOT NULL,
    UNIQUE (account_id, format),
    CHECK (switched_off IS NULL OR NOT enabled)
);

CREATE TABLE webhook_delivery (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    endpoint_id     bigint NOT NULL REFERENCES webhook_endpoint (id),
    account_id      bigint NOT NULL REFERENCES account (id),
    message_id      bigint NOT NULL REFERENCES message (id),
    state           text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed')),
    attempts        integer NOT NULL DEFAULT 0,
    -- Due now or later; while an attempt runs, when it counts as lost.
    next_attempt_at timestamptz,
    -- What the last attempt met: the address it went to, the status, or what went wrong.
    url             text,
    status          integer,
    problem         text CHECK (length(problem) <= 200),
    created_at      timestamptz NOT NULL,
    closed_at       timestamptz,
    CONSTRAINT webhook_delivery_once UNIQUE (endpoint_id, message_id),
    CHECK ((state = 'pending') = (next_attempt_at IS NOT NULL)),
    CHECK ((state = 'pending') = (closed_at IS NULL))
);
-- By endpoint first: what is due is taken from each in turn, whatever the backlog of another.
CREATE INDEX webhook_delivery_due ON webhook_delivery (endpoint_id, next_attempt_at, id) WHERE state = 'pending';
CREATE INDEX webhook_delivery_by_account ON webhook_delivery (account_id, id);
CREATE INDEX webhook_delivery_to_forget ON webhook_delivery (closed_at) WHERE closed_at IS NOT NULL;
