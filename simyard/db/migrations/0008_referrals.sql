-- Who brought whom: of what a referred account spends, its referrer gets a share, out of the platform's margin.

CREATE TABLE referral (
    referred_id        bigint CONSTRAINT referral_of_an_account PRIMARY KEY
                       CONSTRAINT referral_referred_known REFERENCES account (id),
    referrer_id        bigint NOT NULL CONSTRAINT referral_referrer_known REFERENCES account (id),
    share_basis_points integer NOT NULL CHECK (share_basis_points BETWEEN 0 AND 10000),
    -- What exchange rates are rates of, for a referrer who is paid in another currency: whoever takes an SMS in does
    -- not know it.
    base_currency      text NOT NULL CHECK (base_currency ~ '^[A-Z]{3}$'),
    since              timestamptz NOT NULL,
    CONSTRAINT referral_by_another CHECK (referred_id <> referrer_id)
);
CREATE INDEX referral_by_referrer ON referral (referrer_id);

ALTER TABLE transfer DROP CONSTRAINT transfer_kind_check;
ALTER TABLE transfer ADD CONSTRAINT transfer_kind_check
    CHECK (kind IN ('deposit', 'payment', 'hold', 'release', 'capture', 'earning', 'margin', 'exchange', 'referral'));
CREATE INDEX transfer_referral_income ON transfer (credit_id) INCLUDE (amount) WHERE kind = 'referral';
