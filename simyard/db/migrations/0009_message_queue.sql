-- A buyer may turn messages of an activation down one after the other, and a number for good.

ALTER TABLE message ADD COLUMN dismissed boolean NOT NULL DEFAULT false;
CREATE INDEX activation_open_by_account ON activation (account_id, id) WHERE is_open;

-- Numbers an account does not want to be given again. Country and number are copies: every order asks for the newest
-- of a country, and an index alone must answer.
CREATE TABLE number_ban (
    account_id bigint NOT NULL REFERENCES account (id),
    number_id  bigint NOT NULL REFERENCES number (id),
    country    text NOT NULL REFERENCES country (iso2),
    msisdn     text NOT NULL,
    banned_at  timestamptz NOT NULL,
    PRIMARY KEY (account_id, number_id)
);
CREATE INDEX number_ban_newest ON number_ban (account_id, country, banned_at DESC, number_id DESC) INCLUDE (msisdn);
