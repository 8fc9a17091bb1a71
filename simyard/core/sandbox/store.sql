-- name: insert_messages
INSERT INTO sandbox_message (lease_id, due_at)
SELECT * FROM unnest(:lease_ids::bigint[], :due_at::timestamptz[]);

-- name: take_messages
DELETE FROM sandbox_message
 WHERE lease_id IN (SELECT lease_id FROM sandbox_message WHERE due_at <= :now
                     ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED)
RETURNING lease_id;
