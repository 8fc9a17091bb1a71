-- Who brought whom: of what a referred account spends, its referrer gets a share, out of the platform's margin.

CREATE TABLE referral (
    referred_id        bigint PRIMARY KEY REFERENCES account (id),
    referrer_id        bigint NOT NULL REFERENCES account (id),
    share_basis_points integer NOT NULL CHECK (share_basis_points BETWEEN 0 AND 10000),
    since              timestamptz NOT NULL,
    CHECK (referred_id <> referrer_id)
);
CREATE INDEX referral_by_referrer ON referral (referrer_id);

ALTER TABLE transfer DROP CONSTRAINT transfer_kind_check;
ALTER TABLE transfer ADD CONSTRAINT transfer_kind_check
    CHECK (kind IN ('deposit', 'payment', 'hold', 'release', 'capture', 'earning', 'margin', 'exchange', 'referral'));
CREATE INDEX transfer_referral_income ON transfer (credit_id) INCLUDE (amount) WHERE kind = 'referral';
