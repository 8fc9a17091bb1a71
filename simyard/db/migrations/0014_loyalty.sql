-- Loyalty: what an account has spent moves it up the tiers, and the first code of an activation pays its tier's cashback.

-- All that ever paid for leases, in the wallet's currency; it moves with the money.
ALTER TABLE wallet ADD COLUMN spent bigint NOT NULL DEFAULT 0 CONSTRAINT wallet_spent_not_negative CHECK (spent >= 0);
WITH paid AS (
    SELECT debit_id, sum(amount)::bigint AS amount FROM transfer
     WHERE kind IN ('capture', 'earning', 'margin', 'exchange') GROUP BY debit_id
)
UPDATE wallet
   SET spent = COALESCE((SELECT amount FROM paid WHERE debit_id = wallet.available_id), 0)
             + COALESCE((SELECT amount FROM paid WHERE debit_id = wallet.held_id), 0);

-- Whether a code has come: the first one pays, also when the buyer asked for another message meanwhile. What came
-- before there was cashback earns none.
ALTER TABLE activation ADD COLUMN coded boolean NOT NULL DEFAULT false;
UPDATE activation SET coded = true WHERE messages > 0;
ALTER TABLE activation ADD CONSTRAINT activation_coded_by_a_message CHECK (NOT coded OR messages > 0);

ALTER TABLE transfer DROP CONSTRAINT transfer_kind_check;
ALTER TABLE transfer ADD CONSTRAINT transfer_kind_check
    CHECK (kind IN ('deposit', 'payment', 'hold', 'release', 'capture', 'earning', 'margin', 'exchange', 'referral',
                    'cashback'));

ALTER TABLE webhook_endpoint DROP CONSTRAINT webhook_endpoint_format_check;
ALTER TABLE webhook_endpoint ADD CONSTRAINT webhook_endpoint_format_check CHECK (format IN ('onlinesim', 'daisysim'));
