-- Logins: names and verified addresses of accounts, sessions with refresh tokens that are used once, tokens sent by mail,
-- identities of other issuers, counts of failures, and secrets the platform makes for itself.

ALTER TABLE account ADD COLUMN name text NOT NULL DEFAULT '' CHECK (length(name) <= 200);
ALTER TABLE account ADD COLUMN email_verified_at timestamptz;
-- Accounts so far were added by operators, who vouch for their addresses.
UPDATE account SET email_verified_at = created_at;

-- A row for each secret; made when it is first needed, never logged.
CREATE TABLE secret (
    name       text PRIMARY KEY,
    value      bytea NOT NULL CHECK (length(value) >= 32),
    created_at timestamptz NOT NULL
);

CREATE TABLE session (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id    bigint NOT NULL REFERENCES account (id),
    created_at    timestamptz NOT NULL,
    -- When its last refresh token runs out.
    expires_at    timestamptz NOT NULL,
    ended_at      timestamptz,
    ended_because text CHECK (ended_because IN
                              ('logged_out', 'password_changed', 'refresh_reused', 'account_claimed')),
    CHECK ((ended_at IS NULL) = (ended_because IS NULL))
);
CREATE INDEX session_open_by_account ON session (account_id) WHERE ended_at IS NULL;
CREATE INDEX session_by_expiry ON session (expires_at);

-- Used tokens are kept as long as their session: one that comes again tells of a theft.
CREATE TABLE refresh_token (
    digest     bytea PRIMARY KEY CHECK (length(digest) = 32),
    session_id bigint NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX refresh_token_by_session ON refresh_token (session_id);

-- A token for verifying an address carries the password that was chosen with it, so that whoever uses the token gets the
-- password of his own registration and not a stranger's.
CREATE TABLE mailed_token (
    digest        bytea PRIMARY KEY CHECK (length(digest) = 32),
    account_id    bigint NOT NULL REFERENCES account (id),
    purpose       text NOT NULL CHECK (purpose IN ('verify_email', 'reset_password')),
    password_hash text,
    name          text,
    expires_at    timestamptz NOT NULL,
    CHECK ((purpose = 'verify_email') = (password_hash IS NOT NULL)),
    CHECK ((purpose = 'verify_email') = (name IS NOT NULL))
);
CREATE INDEX mailed_token_by_account ON mailed_token (account_id);
CREATE INDEX mailed_token_by_expiry ON mailed_token (expires_at);

-- Who somebody is at another issuer (OpenID Connect).
CREATE TABLE identity (
    issuer     text NOT NULL,
    subject    text NOT NULL,
    account_id bigint NOT NULL REFERENCES account (id),
    linked_at  timestamptz NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX identity_by_account ON identity (account_id);

-- What is counted within a time: failed logins by email and by address, attempts by address, mails by email. The subject is a
-- digest, so that emails nobody has an account for are not collected.
CREATE TABLE login_count (
    subject bytea PRIMARY KEY CHECK (length(subject) = 32),
    count   integer NOT NULL CHECK (count > 0),
    ends_at timestamptz NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX login_count_by_end ON login_count (ends_at);
