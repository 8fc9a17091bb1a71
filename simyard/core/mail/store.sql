-- name: insert_mail
INSERT INTO mail (recipient, subject, body, next_attempt_at, created_at)
VALUES (:recipient, :subject, :body, :now, :now)
RETURNING id;

-- name: wake_sender
SELECT pg_notify('simyard_due', 'mail');

-- name: claim_mail
-- Counts the attempt before it is made: a mail that kills its sender is not tried for ever.
WITH due AS (
    SELECT id FROM mail WHERE state = 'pending' AND next_attempt_at <= :now
     ORDER BY next_attempt_at, id LIMIT :limit FOR UPDATE SKIP LOCKED
)
UPDATE mail SET attempts = mail.attempts + 1, next_attempt_at = :claimed_until FROM due
 WHERE mail.id = due.id
RETURNING mail.id, mail.recipient, mail.subject, mail.body, mail.attempts, mail.created_at;

-- name: close_mail
UPDATE mail SET state = :state, body = NULL, next_attempt_at = NULL, closed_at = :now
 WHERE id = :mail_id AND state = 'pending' AND attempts = :attempts;

-- name: postpone_mail
UPDATE mail SET next_attempt_at = :next_attempt_at
 WHERE id = :mail_id AND state = 'pending' AND attempts = :attempts;

-- name: forget_mail
DELETE FROM mail WHERE closed_at < :before;

-- name: delete_mail_to
DELETE FROM mail WHERE recipient = :recipient;
