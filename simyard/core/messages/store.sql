-- name: mark_seen
-- Remembers messages and returns those that are new: not seen on their lease with the same date, nor within the last
-- moments with any date; nor, where one has a number, on another lease of it with the same date.
INSERT INTO message_seen (lease_id, digest, number_id, sent_at, seen_at)
SELECT lease_id, digest, number_id, sent_at, :now
  FROM unnest(:lease_ids::bigint[], :digests::bytea[], :number_ids::bigint[], :sent_at::timestamptz[])
       AS given (lease_id, digest, number_id, sent_at)
 WHERE NOT EXISTS (SELECT FROM message_seen AS earlier
                    WHERE earlier.number_id = given.number_id AND earlier.digest = given.digest
                      AND earlier.sent_at = given.sent_at AND earlier.lease_id <> given.lease_id
                   -- Keeps the planner from reading all that was seen into a hash to look at a few messages.
                   OFFSET 0)
ON CONFLICT (lease_id, digest) DO UPDATE
   SET number_id = excluded.number_id, sent_at = excluded.sent_at, seen_at = excluded.seen_at
 WHERE message_seen.seen_at < :repeats_after
   AND (excluded.sent_at IS NULL OR message_seen.sent_at IS DISTINCT FROM excluded.sent_at)
RETURNING lease_id, digest;

-- name: insert_messages
-- The ids rise in the order the messages are given in.
INSERT INTO message (activation_id, rental_id, sender, body, code, sent_at, received_at)
SELECT activation_id, rental_id, sender, body, code, sent_at, :now
  FROM unnest(:activation_ids::bigint[], :rental_ids::bigint[], :senders::text[], :bodies::text[], :codes::text[],
              :sent_at::timestamptz[])
       WITH ORDINALITY AS given (activation_id, rental_id, sender, body, code, sent_at, ordinal)
 ORDER BY ordinal
RETURNING id;

-- name: just_closed
-- The lease each of these numbers had last, where it closed since then and none is open now; not those of erased accounts.
SELECT number.id AS number_id, closed.* FROM number
 CROSS JOIN LATERAL (
       SELECT activation.id, activation.account_id, activation.service_id FROM activation
        WHERE activation.id = number.last_lease_id AND activation.closed_at >= :since
       UNION ALL
       SELECT rental.id, rental.account_id, NULL FROM rental
        WHERE rental.id = number.last_lease_id AND rental.closed_at >= :since
     ) AS closed
  JOIN account ON account.id = closed.account_id AND account.state <> 'erased'
 WHERE number.id = ANY (:number_ids::bigint[]) AND number.lease_id IS NULL
   -- One that is being erased is waited for.
   FOR KEY SHARE OF account;

-- name: insert_late
INSERT INTO late_message (lease_id, number_id, sender, body, sent_at, received_at)
SELECT lease_id, number_id, sender, body, sent_at, :now
  FROM unnest(:lease_ids::bigint[], :number_ids::bigint[], :senders::text[], :bodies::text[], :sent_at::timestamptz[])
       WITH ORDINALITY AS given (lease_id, number_id, sender, body, sent_at, ordinal)
 ORDER BY ordinal;

-- name: late
-- The newest ones; of a lease, of a number, or of all.
SELECT late_message.id, late_message.lease_id, number.msisdn, late_message.sender, late_message.body,
       late_message.sent_at, late_message.received_at
  FROM late_message JOIN number ON number.id = late_message.number_id
 WHERE (:lease_id::bigint IS NULL OR late_message.lease_id = :lease_id)
   AND (:msisdn::text IS NULL OR late_message.number_id = (SELECT id FROM number WHERE number.msisdn = :msisdn))
 ORDER BY late_message.id DESC LIMIT :limit;

-- name: of_rentals
-- A page of each rental's messages, newest first.
SELECT rental_id, page.* FROM unnest(:rental_ids::bigint[]) AS rental_id
 CROSS JOIN LATERAL (SELECT id, sender, body, code, received_at FROM message
                      WHERE message.rental_id = rental_id.rental_id
                      ORDER BY id DESC LIMIT :limit OFFSET :offset) AS page
 ORDER BY rental_id, page.id DESC;

-- name: count_dropped
INSERT INTO message_dropped (pool_id, day, reason, count)
SELECT pool_id, :day, reason, count
  FROM unnest(:pool_ids::bigint[], :reasons::text[], :counts::bigint[]) AS given (pool_id, reason, count)
 ORDER BY pool_id, reason
ON CONFLICT (pool_id, day, reason) DO UPDATE SET count = message_dropped.count + excluded.count;

-- name: count_misuse
INSERT INTO misuse (account_id, day, count)
SELECT account_id, :day, count FROM unnest(:account_ids::bigint[], :counts::bigint[]) AS given (account_id, count)
 ORDER BY account_id
ON CONFLICT (account_id, day) DO UPDATE SET count = misuse.count + excluded.count;

-- name: erase_texts
-- Empties the oldest messages whose time is up, a slice at a time.
UPDATE message SET body = NULL, sender = ''
 WHERE id IN (SELECT id FROM message WHERE body IS NOT NULL AND received_at < :before
               ORDER BY received_at LIMIT :limit FOR UPDATE SKIP LOCKED);

-- name: forget_late
-- Nothing of a late message is worth keeping but its text.
DELETE FROM late_message
 WHERE id IN (SELECT id FROM late_message WHERE received_at < :before
               ORDER BY received_at LIMIT :limit FOR UPDATE SKIP LOCKED);

-- name: forget_seen
DELETE FROM message_seen WHERE seen_at < :before;

-- name: erase_of_account
-- Sender, text and code of all an account's messages. That there was a code stays known.
UPDATE message SET body = NULL, sender = '', code = CASE WHEN code IS NOT NULL THEN '' END
 WHERE id IN (SELECT message.id FROM message JOIN activation ON activation.id = message.activation_id
               WHERE activation.account_id = :account_id
              UNION ALL
              SELECT message.id FROM message JOIN rental ON rental.id = message.rental_id
               WHERE rental.account_id = :account_id);

-- name: delete_late_of_account
DELETE FROM late_message
 WHERE lease_id IN (SELECT id FROM activation WHERE account_id = :account_id
                    UNION ALL SELECT id FROM rental WHERE account_id = :account_id);

-- name: delete_seen_of_account
-- Sender and text could be guessed by their digests.
DELETE FROM message_seen
 WHERE lease_id IN (SELECT id FROM activation WHERE account_id = :account_id
                    UNION ALL SELECT id FROM rental WHERE account_id = :account_id);
