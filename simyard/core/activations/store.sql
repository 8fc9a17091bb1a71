-- name: insert_activations
INSERT INTO activation (id, account_id, pool_id, number_id, msisdn, country, service_id, service_label, country_label,
                        state, remote, repeatable, price, currency, margin, earning, earning_currency, supplier_id,
                        ordered_at, expires_at)
SELECT id, account_id, pool_id, number_id, msisdn, country, service_id, service_label, country_label,
       CASE WHEN number_id IS NULL THEN 'acquiring' ELSE 'waiting' END, number_id IS NULL, repeatable, price, currency, margin, earning, earning_currency, supplier_id, ordered_at, expires_at
  FROM unnest(:ids::bigint[], :account_ids::bigint[], :pool_ids::bigint[], :number_ids::bigint[], :msisdns::text[],
              :countries::text[], :service_ids::smallint[], :service_labels::text[], :country_labels::text[],
              :repeatable::boolean[], :prices::bigint[], :currencies::text[], :margins::bigint[], :earnings::bigint[],
              :earning_currencies::text[], :supplier_ids::bigint[], :ordered_at::timestamptz[],
              :expires_at::timestamptz[])
       AS given (id, account_id, pool_id, number_id, msisdn, country, service_id, service_label, country_label,
                 repeatable, price, currency, margin, earning, earning_currency, supplier_id, ordered_at, expires_at);

-- name: check
-- The activations of a batch of polls, each by its id and its account.
SELECT ask.ordinal, activation.id, activation.msisdn, activation.service_label, activation.country_label,
       activation.state, activation.code, activation.price, activation.currency, activation.ordered_at,
       activation.expires_at, activation.received_at
  FROM unnest(:activation_ids::bigint[], :account_ids::bigint[])
       WITH ORDINALITY AS ask (activation_id, account_id, ordinal)
  JOIN activation ON activation.id = ask.activation_id AND activation.account_id = ask.account_id
 WHERE activation.number_id IS NOT NULL;

-- name: look
-- What each asks to see: one activation by its id and its account, or all open ones of the account, oldest first; each
-- with the oldest of its messages, without those that were dismissed unless these are asked for, a row for each.
WITH ask AS (
    SELECT * FROM unnest(:account_ids::bigint[], :activation_ids::bigint[], :dismissed_too::boolean[])
             WITH ORDINALITY AS ask (account_id, activation_id, dismissed_too, ordinal)
), wanted AS (
    SELECT ask.ordinal, ask.dismissed_too, activation.id FROM ask
      JOIN activation ON activation.id = ask.activation_id AND activation.account_id = ask.account_id
     WHERE activation.number_id IS NOT NULL
    UNION ALL
    SELECT ask.ordinal, ask.dismissed_too, open.id FROM ask
     CROSS JOIN LATERAL (SELECT activation.id FROM activation
                          WHERE activation.account_id = ask.account_id AND activation.is_open
                            AND activation.number_id IS NOT NULL
                          ORDER BY activation.id LIMIT 1000) AS open
     WHERE ask.activation_id IS NULL
)
SELECT wanted.ordinal, activation.id, activation.service_id, activation.service_label, activation.country,
       activation.msisdn, activation.state, activation.code, activation.price, activation.currency,
       activation.ordered_at, activation.expires_at, activation.received_at, activation.closed_at,
       message.id AS message_id, message.sender, message.body, message.code AS message_code,
       message.received_at AS message_received_at
  FROM wanted
  JOIN activation ON activation.id = wanted.id
  LEFT JOIN LATERAL (SELECT message.id, message.sender, message.body, message.code, message.received_at FROM message
                      WHERE activation.messages > 0 AND message.activation_id = activation.id
                        AND (wanted.dismissed_too OR NOT message.dismissed)
                      ORDER BY message.id LIMIT 100) AS message ON true
 ORDER BY wanted.ordinal, activation.id, message.id;

-- name: dismiss
-- Dismisses the oldest message that was not; whether there is another. The caller has locked the activation.
WITH queue AS (
    SELECT id FROM message WHERE activation_id = :activation_id AND NOT dismissed ORDER BY id LIMIT 2
), dismissed AS (
    UPDATE message SET dismissed = true WHERE id = (SELECT min(id) FROM queue)
)
SELECT count(*) > 1 FROM queue;

-- name: show_next
-- The code of an activation whose first messages were dismissed: the first that was read of those left.
UPDATE activation
   SET code = (SELECT message.code FROM message
                WHERE message.activation_id = activation.id AND NOT message.dismissed AND message.code IS NOT NULL
                ORDER BY message.id LIMIT 1)
 WHERE activation.id = :activation_id;

-- name: ban
-- A number banned before stays banned since then.
INSERT INTO number_ban (account_id, number_id, country, msisdn, banned_at)
SELECT account_id, number_id, country, msisdn, :now FROM activation
 WHERE id = :activation_id AND account_id = :account_id AND number_id IS NOT NULL
ON CONFLICT (account_id, number_id) DO NOTHING;

-- name: banned
-- Numbers that accounts banned in countries, so many of each at most, the newest first; no row for one without any.
SELECT asking.account_id, asking.country, newest.msisdns
  FROM unnest(:account_ids::bigint[], :countries::text[]) AS asking (account_id, country)
 CROSS JOIN LATERAL (
       SELECT array_agg(number.msisdn) AS msisdns
         FROM (SELECT number_ban.msisdn FROM number_ban
                WHERE number_ban.account_id = asking.account_id AND number_ban.country = asking.country
                ORDER BY number_ban.banned_at DESC, number_ban.number_id DESC LIMIT :limit) AS number
      ) AS newest
 WHERE newest.msisdns IS NOT NULL;

-- name: number_of
-- One that never got a number is nobody's to act on.
SELECT number_id FROM activation
 WHERE id = :activation_id AND account_id = :account_id AND number_id IS NOT NULL;

-- name: number_of_any
SELECT number_id FROM activation WHERE id = :activation_id;

-- name: refunded
SELECT EXISTS (SELECT FROM refund WHERE activation_id = :activation_id);

-- name: insert_refund
INSERT INTO refund (activation_id, amount, reason, refunded_at) VALUES (:activation_id, :amount, :reason, :now);

-- name: lock_activations
SELECT id, account_id, number_id, msisdn, service_id, service_label, state, price, currency, margin, earning,
       earning_currency, supplier_id, code, coded, messages, ordered_at, expires_at, remote
  FROM activation WHERE id = ANY (:activation_ids::bigint[]) ORDER BY id FOR NO KEY UPDATE;

-- name: lock_open_on_numbers
-- The open activations on these numbers, at most one each, locked in the order of their ids.
SELECT id, account_id, number_id, msisdn, service_id, service_label, state, price, currency, margin, earning,
       earning_currency, supplier_id, code, coded, messages, ordered_at, expires_at, remote
  FROM activation WHERE number_id = ANY (:number_ids::bigint[]) AND is_open ORDER BY id FOR NO KEY UPDATE;

-- name: due
-- Not those that still wait for a number: they end with the answer of whoever was asked for one.
SELECT id, number_id FROM activation
 WHERE is_open AND state <> 'acquiring' AND expires_at <= :now ORDER BY expires_at LIMIT :limit;

-- name: move
-- Takes activations from one state to another; a row that is no longer where it was is not moved. What it closes is
-- counted as its pool's quality.
WITH moved AS (
    UPDATE activation SET state = step.to_state, closed_at = CASE WHEN step.closes THEN :now::timestamptz END
      FROM unnest(:activation_ids::bigint[], :from_states::text[], :to_states::text[], :closes::boolean[])
           AS step (activation_id, from_state, to_state, closes)
     WHERE activation.id = step.activation_id AND activation.state = step.from_state
    RETURNING activation.id, step.closes
), noted AS (
    INSERT INTO quality_event (activation_id, kind) SELECT id, 'closed' FROM moved WHERE closes
)
SELECT id FROM moved;

-- name: give_number
UPDATE activation SET number_id = :number_id, msisdn = :msisdn, state = 'waiting'
 WHERE id = :activation_id AND state = 'acquiring';

-- name: has_served
SELECT EXISTS (SELECT FROM activation WHERE number_id = :number_id AND service_id = :service_id AND NOT repeatable);

-- name: receive
-- Marks what messages did to their activations: the state, the first code, the count. What was awaited anew replaces
-- the code by its own, even when it has none: later ones fill it in.
UPDATE activation
   SET state = 'received', messages = activation.messages + came.count,
       received_at = COALESCE(activation.received_at, :now),
       code = CASE WHEN came.replaces THEN came.code
                   ELSE COALESCE(activation.code, came.code) END,
       coded = activation.coded OR came.code IS NOT NULL
  FROM unnest(:activation_ids::bigint[], :codes::text[], :counts::integer[], :replaces::boolean[])
       AS came (activation_id, code, count, replaces)
 WHERE activation.id = came.activation_id;

-- name: history
SELECT id, msisdn, service_label, country_label, state, code, price, currency, ordered_at, expires_at, received_at
  FROM activation
 WHERE account_id = :account_id
   AND number_id IS NOT NULL
   AND CASE :only::text
            WHEN 'completed' THEN messages > 0
            WHEN 'waiting' THEN messages = 0 AND is_open
            WHEN 'canceled' THEN messages = 0 AND NOT is_open
            ELSE true END
 ORDER BY id DESC LIMIT :limit OFFSET :offset;

-- name: history_count
SELECT count(*) FROM activation
 WHERE account_id = :account_id
   AND number_id IS NOT NULL
   AND CASE :only::text
            WHEN 'completed' THEN messages > 0
            WHEN 'waiting' THEN messages = 0 AND is_open
            WHEN 'canceled' THEN messages = 0 AND NOT is_open
            ELSE true END;

-- name: sandbox_targets
SELECT activation.number_id, service.slug, service.name FROM activation
  JOIN service ON service.id = activation.service_id
 WHERE activation.id = ANY (:lease_ids::bigint[]) AND activation.is_open
 ORDER BY activation.id;

-- name: lock_of_account
-- All of an account's activations, closed ones too.
SELECT id FROM activation WHERE account_id = :account_id ORDER BY id FOR NO KEY UPDATE;

-- name: count_open_of
-- Of an account that ordered them, or that supplies their numbers.
SELECT count(*) FROM activation WHERE is_open AND (account_id = :account_id OR supplier_id = :account_id);

-- name: erase_codes
-- That a code came stays known, what it was does not.
UPDATE activation SET code = '' WHERE account_id = :account_id AND code IS NOT NULL;

-- name: erase_refunds
UPDATE refund SET reason = :reason FROM activation
 WHERE activation.id = refund.activation_id AND activation.account_id = :account_id;

-- name: delete_bans
DELETE FROM number_ban WHERE account_id = :account_id;
