-- name: set_endpoint
-- A new URL is a new start: what went wrong at the old one says nothing about it. The secret stays. The account is locked,
-- so that none is written of one that is being erased.
INSERT INTO webhook_endpoint (account_id, format, event, url, secret, created_at, changed_at)
SELECT account.id, :format, :event, :url, :secret, :now, :now
  FROM (SELECT id FROM account WHERE id = :account_id AND state <> 'erased' FOR KEY SHARE) AS account
ON CONFLICT (account_id, format) DO UPDATE
   SET event = excluded.event, url = excluded.url, enabled = true, switched_off = NULL, changed_at = excluded.changed_at,
       failing_since = CASE WHEN webhook_endpoint.enabled AND webhook_endpoint.url = excluded.url
                            THEN webhook_endpoint.failing_since END
RETURNING id, account_id, format, event, url, secret, enabled, switched_off, failing_since;

-- name: switch_off
UPDATE webhook_endpoint
   SET enabled = false, switched_off = :reason, changed_at = :now
 WHERE id = :endpoint_id
RETURNING id, account_id, format, event, url, secret, enabled, switched_off, failing_since;

-- name: find_endpoint
SELECT id, account_id, format, event, url, secret, enabled, switched_off, failing_since
  FROM webhook_endpoint WHERE account_id = :account_id AND format = :format;

-- name: lock_endpoint_of
SELECT id, account_id, format, event, url, secret, enabled, switched_off, failing_since
  FROM webhook_endpoint WHERE account_id = :account_id AND format = :format FOR NO KEY UPDATE;

-- name: lock_endpoint
SELECT id, account_id, format, event, url, secret, enabled, switched_off, failing_since
  FROM webhook_endpoint WHERE id = :endpoint_id FOR NO KEY UPDATE;

-- name: list_endpoints
SELECT id, account_id, format, event, url, secret, enabled, switched_off, failing_since
  FROM webhook_endpoint WHERE account_id = :account_id ORDER BY format;

-- name: insert_deliveries
-- One for each message an enabled endpoint of an active account wants to hear of.
INSERT INTO webhook_delivery (endpoint_id, account_id, message_id, next_attempt_at, created_at)
SELECT endpoint.id, endpoint.account_id, given.message_id, :now, :now
  FROM unnest(:message_ids::bigint[], :account_ids::bigint[]) AS given (message_id, account_id)
  JOIN webhook_endpoint AS endpoint ON endpoint.account_id = given.account_id AND endpoint.enabled
  JOIN account ON account.id = given.account_id AND account.state = 'active'
 WHERE endpoint.event = 'message'
    OR EXISTS (SELECT FROM message
                WHERE message.id = given.message_id AND message.code IS NOT NULL AND message.activation_id IS NOT NULL
                  AND NOT EXISTS (SELECT FROM message AS earlier
                                   WHERE earlier.activation_id = message.activation_id
                                     AND earlier.id < message.id AND earlier.code IS NOT NULL))
 ORDER BY given.message_id
ON CONFLICT (endpoint_id, message_id) DO NOTHING;

-- name: wake_sender
SELECT pg_notify('simyard_due', 'webhooks');

-- name: claim_due
-- Takes what is due, so many of each endpoint: it walks from endpoint to endpoint along the index, so that the backlog of
-- one costs the others nothing. Failing endpoints come last, and one at a time.
WITH RECURSIVE waiting (endpoint_id) AS (
    (SELECT delivery.endpoint_id FROM webhook_delivery AS delivery
      WHERE delivery.state = 'pending' ORDER BY delivery.endpoint_id LIMIT 1)
    UNION ALL
    SELECT (SELECT delivery.endpoint_id FROM webhook_delivery AS delivery
             WHERE delivery.state = 'pending' AND delivery.endpoint_id > waiting.endpoint_id
             ORDER BY delivery.endpoint_id LIMIT 1)
      FROM waiting WHERE waiting.endpoint_id IS NOT NULL
), open_endpoint AS (
    SELECT endpoint.id, endpoint.failing_since IS NOT NULL AS failing,
           CASE WHEN endpoint.failing_since IS NULL THEN :per_endpoint_max::integer ELSE 1 END
           - COALESCE(in_flight.count, 0) AS room
      FROM waiting
      JOIN webhook_endpoint AS endpoint ON endpoint.id = waiting.endpoint_id AND endpoint.enabled
      LEFT JOIN unnest(:in_flight_ids::bigint[], :in_flight_counts::integer[]) AS in_flight (endpoint_id, count)
             ON in_flight.endpoint_id = endpoint.id
), due AS (
    SELECT delivery.id, delivery.next_attempt_at, open_endpoint.failing,
           row_number() OVER (PARTITION BY open_endpoint.failing
                                  ORDER BY delivery.next_attempt_at, delivery.id) AS place
      FROM open_endpoint
     CROSS JOIN LATERAL (
            SELECT candidate.id, candidate.next_attempt_at FROM webhook_delivery AS candidate
             WHERE candidate.endpoint_id = open_endpoint.id AND candidate.state = 'pending'
               AND candidate.next_attempt_at <= :now
             ORDER BY candidate.next_attempt_at, candidate.id LIMIT GREATEST(open_endpoint.room, 0)) AS delivery
), chosen AS (
    SELECT due.id FROM due
     WHERE NOT due.failing OR due.place <= :failing_limit
     ORDER BY due.failing, due.next_attempt_at, due.id LIMIT :limit
), locked AS (
    SELECT delivery.id FROM webhook_delivery AS delivery JOIN chosen ON chosen.id = delivery.id
     WHERE delivery.state = 'pending' AND delivery.next_attempt_at <= :now
       FOR UPDATE OF delivery SKIP LOCKED
)
UPDATE webhook_delivery SET next_attempt_at = :claimed_until
  FROM locked WHERE webhook_delivery.id = locked.id
RETURNING webhook_delivery.id;

-- name: find_deliveries
SELECT delivery.id, delivery.account_id, delivery.endpoint_id, delivery.message_id, delivery.state, delivery.attempts,
       delivery.next_attempt_at, delivery.url AS attempted_url, delivery.status, delivery.problem, delivery.created_at,
       delivery.closed_at, endpoint.format, endpoint.url, endpoint.secret,
       endpoint.failing_since IS NOT NULL AS endpoint_failing,
       CASE WHEN message.rental_id IS NULL THEN 'activation' ELSE 'rental' END AS lease_kind,
       COALESCE(message.rental_id, message.activation_id) AS lease_id,
       COALESCE(rental.msisdn, activation.msisdn) AS msisdn, COALESCE(rental.country, activation.country) AS country,
       activation.service_id, activation.service_label, message.sender, message.body, message.code,
       message.received_at, COALESCE(rental.ordered_at, activation.ordered_at) AS ordered_at,
       COALESCE(rental.expires_at, activation.expires_at) AS expires_at
  FROM webhook_delivery AS delivery
  JOIN webhook_endpoint AS endpoint ON endpoint.id = delivery.endpoint_id
  JOIN message ON message.id = delivery.message_id
  LEFT JOIN activation ON activation.id = message.activation_id
  LEFT JOIN rental ON rental.id = message.rental_id
 WHERE delivery.id = ANY(:delivery_ids::bigint[])
 ORDER BY delivery.id;

-- name: end_failing
UPDATE webhook_endpoint SET failing_since = NULL
 WHERE id = :endpoint_id AND url = :url AND failing_since IS NOT NULL;

-- name: begin_failing
UPDATE webhook_endpoint SET failing_since = :now WHERE id = :endpoint_id AND failing_since IS NULL;

-- name: close_delivered
-- Also when it had failed meanwhile, because its endpoint was switched off: it did arrive.
UPDATE webhook_delivery
   SET state = 'delivered', attempts = attempts + 1, next_attempt_at = NULL, url = :url, status = :status, problem = NULL,
       closed_at = :now
 WHERE id = :delivery_id AND state <> 'delivered';

-- name: record_attempt
-- A failed attempt, unless a later one has been recorded: then nobody waits for this one any more.
UPDATE webhook_delivery
   SET state = CASE WHEN :next_attempt_at::timestamptz IS NULL THEN 'failed' ELSE 'pending' END,
       attempts = attempts + 1, next_attempt_at = :next_attempt_at, url = :url, status = :status, problem = :problem,
       closed_at = CASE WHEN :next_attempt_at::timestamptz IS NULL THEN :now::timestamptz END
 WHERE id = :delivery_id AND state = 'pending' AND attempts = :attempts;

-- name: fail_pending
UPDATE webhook_delivery
   SET state = 'failed', next_attempt_at = NULL, problem = :problem, closed_at = :now
 WHERE endpoint_id = :endpoint_id AND state = 'pending';

-- name: list_delivery_ids
SELECT delivery.id
  FROM webhook_delivery AS delivery JOIN webhook_endpoint AS endpoint ON endpoint.id = delivery.endpoint_id
 WHERE delivery.account_id = :account_id AND (:format::text IS NULL OR endpoint.format = :format)
 ORDER BY delivery.id DESC LIMIT :limit OFFSET :offset;

-- name: count_deliveries
SELECT count(*)
  FROM webhook_delivery AS delivery JOIN webhook_endpoint AS endpoint ON endpoint.id = delivery.endpoint_id
 WHERE delivery.account_id = :account_id AND (:format::text IS NULL OR endpoint.format = :format);

-- name: replay
-- A delivery whose endpoint is switched off has nowhere to go.
UPDATE webhook_delivery
   SET state = 'pending', attempts = 0, next_attempt_at = :now, closed_at = NULL
  FROM webhook_endpoint AS endpoint
 WHERE webhook_delivery.id = :delivery_id AND webhook_delivery.account_id = :account_id
   AND endpoint.id = webhook_delivery.endpoint_id AND endpoint.enabled
RETURNING webhook_delivery.id;

-- name: replay_failed
-- Those whose text was erased have nothing to tell any more.
UPDATE webhook_delivery
   SET state = 'pending', attempts = 0, next_attempt_at = :now, closed_at = NULL
  FROM webhook_endpoint AS endpoint, message
 WHERE webhook_delivery.account_id = :account_id AND webhook_delivery.state = 'failed'
   AND endpoint.id = webhook_delivery.endpoint_id AND endpoint.enabled
   AND message.id = webhook_delivery.message_id AND message.body IS NOT NULL;

-- name: fail_stranded
-- An announcement written at the moment its endpoint was switched off.
UPDATE webhook_delivery
   SET state = 'failed', next_attempt_at = NULL, problem = :problem, closed_at = :now
  FROM webhook_endpoint AS endpoint
 WHERE endpoint.id = webhook_delivery.endpoint_id AND NOT endpoint.enabled AND webhook_delivery.state = 'pending';

-- name: forget_deliveries
DELETE FROM webhook_delivery
 WHERE id IN (SELECT id FROM webhook_delivery WHERE closed_at < :before
               ORDER BY closed_at LIMIT :limit FOR UPDATE SKIP LOCKED);

-- name: lock_endpoints_of
SELECT id FROM webhook_endpoint WHERE account_id = :account_id ORDER BY id FOR UPDATE;

-- name: delete_deliveries_of
DELETE FROM webhook_delivery WHERE account_id = :account_id;

-- name: delete_endpoints_of
DELETE FROM webhook_endpoint WHERE account_id = :account_id;
