-- name: lock_number
-- Activations of fictitious numbers are repeatable and left out: nobody has an account on one.
SELECT number.id, number.published_at IS NOT NULL AS published, number.lease_id IS NOT NULL AS leased,
       EXISTS (SELECT FROM activation WHERE activation.number_id = number.id AND NOT activation.repeatable)
       OR EXISTS (SELECT FROM rental WHERE rental.number_id = number.id) AS leased_before,
       pool.kind = 'sandbox' AS fictitious, pool.consent IS NOT NULL AS consented
  FROM number JOIN pool ON pool.id = number.pool_id
 WHERE number.msisdn = :msisdn
   FOR NO KEY UPDATE OF number;

-- name: set_published
UPDATE number SET published_at = :now WHERE id = :number_id;

-- name: set_withdrawn
-- It queues up behind all others, should it be sold again.
UPDATE number SET published_at = NULL, blocked = blocked OR :block, position = pg_current_xact_id()::text::bigint
 WHERE id = :number_id;

-- name: countries
SELECT DISTINCT country FROM number WHERE published_at IS NOT NULL ORDER BY country;

-- name: published_numbers
SELECT number.id, number.msisdn, number.country, number.published_at,
       (SELECT public_message.received_at FROM public_message
         WHERE public_message.number_id = number.id ORDER BY public_message.id DESC LIMIT 1) AS last_message_at,
       number.blocked OR NOT number.listed AS archived
  FROM number
 WHERE number.published_at IS NOT NULL AND (:country::text IS NULL OR number.country = :country)
 ORDER BY archived, number.published_at DESC, number.id DESC;

-- name: messages
-- Looks at each number's latest ones only, however many there are behind them.
SELECT latest.id, number.msisdn, number.country, latest.sender, latest.body, latest.received_at
  FROM number
 CROSS JOIN LATERAL (
        SELECT public_message.id, public_message.sender, public_message.body, public_message.received_at
          FROM public_message WHERE public_message.number_id = number.id
         ORDER BY public_message.id DESC LIMIT :limit::bigint + :offset::bigint
       ) AS latest
 WHERE number.published_at IS NOT NULL
   AND (:country::text IS NULL OR number.country = :country) AND (:msisdn::text IS NULL OR number.msisdn = :msisdn)
 ORDER BY latest.id DESC LIMIT :limit::bigint OFFSET :offset::bigint;

-- name: count_messages
SELECT count(*) FROM number JOIN public_message ON public_message.number_id = number.id
 WHERE number.published_at IS NOT NULL
   AND (:country::text IS NULL OR number.country = :country) AND (:msisdn::text IS NULL OR number.msisdn = :msisdn);

-- name: lock_published
-- Those of some numbers that are public, locked, so that a message that comes twice at once is seen to come twice.
SELECT id FROM number WHERE id = ANY (:number_ids::bigint[]) AND published_at IS NOT NULL
 ORDER BY id FOR NO KEY UPDATE;

-- name: seen_before
-- Messages that came before with the same date, or within the last moments with any.
SELECT given.number_id, given.digest
  FROM unnest(:number_ids::bigint[], :digests::bytea[], :sent_at::timestamptz[]) AS given (number_id, digest, sent_at)
 WHERE EXISTS (SELECT FROM public_message
                WHERE public_message.number_id = given.number_id AND public_message.digest = given.digest
                  AND (public_message.received_at >= :repeats_after OR public_message.sent_at = given.sent_at));

-- name: insert_messages
INSERT INTO public_message (number_id, sender, body, digest, sent_at, received_at)
SELECT number_id, sender, body, digest, sent_at, :now
  FROM unnest(:number_ids::bigint[], :senders::text[], :bodies::text[], :digests::bytea[], :sent_at::timestamptz[])
       WITH ORDINALITY AS given (number_id, sender, body, digest, sent_at, ordinal)
 ORDER BY ordinal;

-- name: delete_messages_of
DELETE FROM public_message WHERE number_id = :number_id;

-- name: forget_digests
-- Once no repeat can come: sender and text could be guessed by them.
UPDATE public_message SET digest = NULL WHERE digest IS NOT NULL AND received_at < :before;

-- name: forget_messages
DELETE FROM public_message
 WHERE id IN (SELECT id FROM public_message WHERE received_at < :before
               ORDER BY received_at LIMIT :limit FOR UPDATE SKIP LOCKED);

-- name: take_quiet_sandbox_numbers
-- Fictitious public numbers nothing came in on lately. What another process is at is passed over.
SELECT number.id FROM number JOIN pool ON pool.id = number.pool_id
 WHERE number.published_at IS NOT NULL AND pool.kind = 'sandbox' AND pool.enabled
   AND NOT EXISTS (SELECT FROM public_message
                    WHERE public_message.number_id = number.id AND public_message.received_at >= :since)
 ORDER BY number.id LIMIT :limit FOR NO KEY UPDATE OF number SKIP LOCKED;

-- name: delete_messages_of_pools
DELETE FROM public_message USING number
 WHERE number.id = public_message.number_id AND number.pool_id = ANY (:pool_ids::bigint[]);

-- name: withdraw_of_pools
-- Blocked, as each that is withdrawn alone.
UPDATE number SET published_at = NULL, blocked = true, position = pg_current_xact_id()::text::bigint
 WHERE pool_id = ANY (:pool_ids::bigint[]) AND published_at IS NOT NULL;
