-- Keys of access tokens, so that another can sign from now on while tokens of the one before it are believed until they run
-- out. A token names its key. There is no state: the newest signs, and a key that is deleted is believed no more, so two
-- rotations at once need no lock.

-- Held the one key there was, by which tokens were signed without saying so; they are refused, and refreshed.
DROP TABLE secret;

CREATE TABLE token_key (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Never logged.
    value      bytea NOT NULL CHECK (length(value) >= 32),
    created_at timestamptz NOT NULL
);
