-- name: insert_activations
INSERT INTO activation (id, account_id, pool_id, number_id, msisdn, country, service_id, service_label, country_label,
                        state, repeatable, price, currency, margin, earning, earning_currency, supplier_id,
                        ordered_at, expires_at)
SELECT id, account_id, pool_id, number_id, msisdn, country, service_id, service_label, country_label, 'waiting',
       repeatable, price, currency, margin, earning, earning_currency, supplier_id, ordered_at, expires_at
  FROM unnest(:ids::bigint[], :account_ids::bigint[], :pool_ids::bigint[], :number_ids::bigint[], :msisdns::text[],
              :countries::text[], :service_ids::smallint[], :service_labels::text[], :country_labels::text[],
              :repeatable::boolean[], :prices::bigint[], :currencies::text[], :margins::bigint[], :earnings::bigint[],
              :earning_currencies::text[], :supplier_ids::bigint[], :ordered_at::timestamptz[],
              :expires_at::timestamptz[])
       AS given (id, account_id, pool_id, number_id, msisdn, country, service_id, service_label, country_label,
                 repeatable, price, currency, margin, earning, earning_currency, supplier_id, ordered_at, expires_at);

-- name: insert_sandbox_messages
INSERT INTO sandbox_message (lease_id, due_at)
SELECT * FROM unnest(:activation_ids::bigint[], :due_at::timestamptz[]);

-- name: check
-- The activations of a batch of polls, each by its id and its account.
SELECT ask.ordinal, activation.id, activation.msisdn, activation.service_label, activation.country_label,
       activation.state, activation.code, activation.price, activation.currency, activation.ordered_at,
       activation.expires_at, activation.received_at
  FROM unnest(:activation_ids::bigint[], :account_ids::bigint[])
       WITH ORDINALITY AS ask (activation_id, account_id, ordinal)
  JOIN activation ON activation.id = ask.activation_id AND activation.account_id = ask.account_id;

-- name: number_of
SELECT number_id FROM activation WHERE id = :activation_id AND account_id = :account_id;

-- name: lock_activations
SELECT id, account_id, number_id, msisdn, service_id, service_label, state, price, currency, margin, earning,
       earning_currency, supplier_id, code, messages, ordered_at, expires_at
  FROM activation WHERE id = ANY (:activation_ids::bigint[]) ORDER BY id FOR NO KEY UPDATE;

-- name: lock_open_on_numbers
-- The open activations on these numbers, at most one each, locked in the order of their ids.
SELECT id, account_id, number_id, msisdn, service_id, service_label, state, price, currency, margin, earning,
       earning_currency, supplier_id, code, messages, ordered_at, expires_at
  FROM activation WHERE number_id = ANY (:number_ids::bigint[]) AND is_open ORDER BY id FOR NO KEY UPDATE;

-- name: due
-- Not those that still wait for a number: they end with the answer of whoever was asked for one.
SELECT id, number_id FROM activation
 WHERE is_open AND state <> 'acquiring' AND expires_at <= :now ORDER BY expires_at LIMIT :limit;

-- name: move
-- Takes activations from one state to another; a row that is no longer where it was is not moved.
UPDATE activation SET state = step.to_state, closed_at = CASE WHEN step.closes THEN :now::timestamptz END
  FROM unnest(:activation_ids::bigint[], :from_states::text[], :to_states::text[], :closes::boolean[])
       AS step (activation_id, from_state, to_state, closes)
 WHERE activation.id = step.activation_id AND activation.state = step.from_state
RETURNING activation.id;

-- name: receive
-- Marks what messages did to their activations: the state, the first code, the count.
UPDATE activation
   SET state = 'received', messages = activation.messages + came.count,
       received_at = COALESCE(activation.received_at, :now),
       code = CASE WHEN came.replaces THEN COALESCE(came.code, activation.code)
                   ELSE COALESCE(activation.code, came.code) END
  FROM unnest(:activation_ids::bigint[], :codes::text[], :counts::integer[], :replaces::boolean[])
       AS came (activation_id, code, count, replaces)
 WHERE activation.id = came.activation_id;

-- name: history
SELECT id, msisdn, service_label, country_label, state, code, price, currency, ordered_at, expires_at, received_at
  FROM activation
 WHERE account_id = :account_id
   AND CASE :only::text
            WHEN 'completed' THEN messages > 0
            WHEN 'waiting' THEN messages = 0 AND is_open
            WHEN 'canceled' THEN messages = 0 AND NOT is_open
            ELSE true END
 ORDER BY id DESC LIMIT :limit OFFSET :offset;

-- name: history_count
SELECT count(*) FROM activation
 WHERE account_id = :account_id
   AND CASE :only::text
            WHEN 'completed' THEN messages > 0
            WHEN 'waiting' THEN messages = 0 AND is_open
            WHEN 'canceled' THEN messages = 0 AND NOT is_open
            ELSE true END;

-- name: reserve_keys
-- Puts idempotency keys down, waiting for a twin that is being ordered now. Those already known are not returned.
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
UPDATE idempotency SET outcome = given.outcome, lease_id = given.activation_id
  FROM unnest(:account_ids::bigint[], :keys::text[], :outcomes::bytea[], :activation_ids::bigint[])
       AS given (account_id, key, outcome, activation_id)
 WHERE idempotency.account_id = given.account_id AND idempotency.key = given.key;

-- name: release_keys
-- A refused order leaves its key free.
DELETE FROM idempotency USING unnest(:account_ids::bigint[], :keys::text[]) AS given (account_id, key)
 WHERE idempotency.account_id = given.account_id AND idempotency.key = given.key;

-- name: forget_keys
-- Keys are kept for a time and until their lease has closed.
DELETE FROM idempotency
 WHERE created_at < :before
   AND NOT EXISTS (SELECT FROM activation WHERE activation.id = idempotency.lease_id AND activation.is_open);

-- name: take_sandbox_messages
DELETE FROM sandbox_message
 WHERE lease_id IN (SELECT lease_id FROM sandbox_message WHERE due_at <= :now
                     ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED)
RETURNING lease_id AS activation_id;

-- name: sandbox_targets
SELECT activation.number_id, service.slug, service.name FROM activation
  JOIN service ON service.id = activation.service_id
 WHERE activation.id = ANY (:activation_ids::bigint[]) AND activation.is_open
 ORDER BY activation.id;
