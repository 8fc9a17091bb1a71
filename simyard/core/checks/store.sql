-- name: insert_check
INSERT INTO number_check (id, number_id, pool_id, challenge, due_at, actor, started_at)
VALUES (:check_id, :number_id, :pool_id, :challenge, :due_at, :actor, :now);

-- name: lock_waiting_on
-- The checks that wait for a message on these numbers, at most one each.
SELECT id, number_id, challenge FROM number_check
 WHERE number_id = ANY (:number_ids::bigint[]) AND closed_at IS NULL AND state = 'waiting'
 ORDER BY id FOR NO KEY UPDATE;

-- name: prove
UPDATE number_check SET state = 'proved', proved_at = :now, due_at = :now WHERE id = ANY (:check_ids::bigint[]);

-- name: due
SELECT id, number_id FROM number_check WHERE closed_at IS NULL AND due_at <= :now ORDER BY due_at, id LIMIT :limit;

-- name: close
-- The caller has locked the numbers. Whoever proved himself in the meantime did; one that was closed stays as it is.
UPDATE number_check SET state = CASE state WHEN 'waiting' THEN 'expired' ELSE state END, closed_at = :now
 WHERE id = ANY (:check_ids::bigint[]) AND closed_at IS NULL AND due_at <= :now
RETURNING id, number_id, pool_id, state, proved_at;

-- name: checks
-- Newest first.
SELECT number_check.id, number_check.number_id, number_check.pool_id, number.msisdn, number_check.challenge,
       number_check.state, number_check.due_at, number_check.started_at, number_check.proved_at, number_check.closed_at
  FROM number_check JOIN number ON number.id = number_check.number_id
 WHERE (:msisdn::text IS NULL OR number.msisdn = :msisdn)
   AND (:check_id::bigint IS NULL OR number_check.id = :check_id)
 ORDER BY number_check.id DESC LIMIT :limit;
