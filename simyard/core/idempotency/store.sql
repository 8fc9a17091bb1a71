-- name: reserve
-- Puts keys down, waiting for a twin that is being carried out now. Those already known are not returned.
INSERT INTO idempotency (account_id, key, fingerprint, created_at)
SELECT account_id, key, fingerprint, :now
  FROM unnest(:account_ids::bigint[], :keys::text[], :fingerprints::bytea[]) AS given (account_id, key, fingerprint)
 ORDER BY account_id, key
ON CONFLICT (account_id, key) DO NOTHING
RETURNING account_id, key;

-- name: outcomes
SELECT idempotency.account_id, idempotency.key, idempotency.fingerprint, idempotency.outcome
  FROM unnest(:account_ids::bigint[], :keys::text[]) AS given (account_id, key)
  JOIN idempotency ON idempotency.account_id = given.account_id AND idempotency.key = given.key;

-- name: store_outcomes
UPDATE idempotency SET outcome = given.outcome, lease_id = given.lease_id
  FROM unnest(:account_ids::bigint[], :keys::text[], :outcomes::bytea[], :lease_ids::bigint[])
       AS given (account_id, key, outcome, lease_id)
 WHERE idempotency.account_id = given.account_id AND idempotency.key = given.key;

-- name: release
DELETE FROM idempotency USING unnest(:account_ids::bigint[], :keys::text[]) AS given (account_id, key)
 WHERE idempotency.account_id = given.account_id AND idempotency.key = given.key;

-- name: complete
UPDATE idempotency SET outcome = :outcome WHERE lease_id = :lease_id AND outcome IS NULL;

-- name: release_open
DELETE FROM idempotency WHERE lease_id = :lease_id AND outcome IS NULL;

-- name: forget
-- Keys are kept for a time and until their lease has closed.
DELETE FROM idempotency
 WHERE created_at < :before
   AND NOT EXISTS (SELECT FROM activation WHERE activation.id = idempotency.lease_id AND activation.is_open)
   AND NOT EXISTS (SELECT FROM rental WHERE rental.id = idempotency.lease_id AND rental.is_open);

-- name: delete_keys_of
DELETE FROM idempotency WHERE account_id = :account_id;
