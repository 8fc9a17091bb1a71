-- Who takes part: accounts, the keys they call with, and the record of what operators did.

CREATE TABLE account (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email         text NOT NULL CONSTRAINT account_email_taken UNIQUE,
    role          text NOT NULL CHECK (role IN ('buyer', 'supplier', 'operator')),
    state         text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'suspended', 'locked')),
    password_hash text,
    created_at    timestamptz NOT NULL,
    CHECK (email = lower(email) AND length(email) BETWEEN 3 AND 254)
);

-- A key is shown once; what stays is its SHA-256. Keys carry 256 random bits, so a slow hash would add nothing.
CREATE TABLE api_key (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES account (id),
    digest     bytea NOT NULL UNIQUE CHECK (length(digest) = 32),
    hint       text NOT NULL,
    scopes     text[] NOT NULL CHECK (scopes <@ ARRAY['read', 'order', 'supply']),
    networks   cidr[] NOT NULL DEFAULT '{}',
    enabled    boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL
);
CREATE INDEX api_key_by_account ON api_key (account_id);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE TABLE audit (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at     timestamptz NOT NULL,
    actor  text NOT NULL,
    action text NOT NULL,
    facts  jsonb NOT NULL DEFAULT '{}'
);
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Requests an account made of a verb in its current window. Not worth its durability: losing it in a crash
-- costs one window of grace.
CREATE UNLOGGED TABLE budget (
    account_id bigint NOT NULL,
    verb       text NOT NULL,
    ends_at    timestamptz NOT NULL,
    quota      integer NOT NULL CHECK (quota > 0),
    used       integer NOT NULL CHECK (used BETWEEN 0 AND quota),
    -- What the last batch got of it.
    granted    integer NOT NULL CHECK (granted >= 0),
    PRIMARY KEY (account_id, verb)
) WITH (fillfactor = 50);
