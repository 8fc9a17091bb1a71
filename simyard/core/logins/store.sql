-- name: find_login
SELECT id, email, name, state, password_hash, email_verified_at IS NOT NULL AS verified
  FROM account WHERE email = :email;

-- name: find_login_of
SELECT id, email, name, state, password_hash, email_verified_at IS NOT NULL AS verified
  FROM account WHERE id = :account_id;

-- name: lock_login
SELECT id, email, name, state, password_hash, email_verified_at IS NOT NULL AS verified
  FROM account WHERE id = :account_id FOR NO KEY UPDATE;

-- name: lock_login_by_email
SELECT id, email, name, state, password_hash, email_verified_at IS NOT NULL AS verified
  FROM account WHERE email = :email FOR NO KEY UPDATE;

-- name: set_password
UPDATE account SET password_hash = :password_hash WHERE id = :account_id;

-- name: set_name
UPDATE account SET name = :name WHERE id = :account_id;

-- name: mark_verified
UPDATE account SET email_verified_at = :now WHERE id = :account_id AND email_verified_at IS NULL;

-- name: token_keys
SELECT id, value FROM token_key ORDER BY id;

-- name: insert_token_key
INSERT INTO token_key (value, created_at) VALUES (:value, :now) RETURNING id;

-- name: delete_token_keys_before
DELETE FROM token_key WHERE id < :key_id;

-- name: forget_token_keys
-- Keys that were followed by another so long ago that no token they signed can be in time.
DELETE FROM token_key WHERE id < (SELECT max(id) FROM token_key WHERE created_at < :before);

-- name: insert_session
INSERT INTO session (account_id, created_at, expires_at) VALUES (:account_id, :now, :expires_at) RETURNING id;

-- name: insert_refresh_token
INSERT INTO refresh_token (digest, session_id, expires_at) VALUES (:digest, :session_id, :expires_at);

-- name: lock_refresh_token
-- Its session is locked before the token is looked at, so that of twins one sees what the other did.
SELECT refresh_token.session_id, session.account_id, refresh_token.expires_at, refresh_token.used_at, session.ended_at
  FROM refresh_token JOIN session ON session.id = refresh_token.session_id
 WHERE refresh_token.digest = :digest
   FOR NO KEY UPDATE OF session, refresh_token;

-- name: use_refresh_token
UPDATE refresh_token SET used_at = :now WHERE digest = :digest AND used_at IS NULL RETURNING session_id;

-- name: prolong_session
UPDATE session SET expires_at = :expires_at WHERE id = :session_id;

-- name: end_session
UPDATE session SET ended_at = :now, ended_because = :because
 WHERE id = :session_id AND account_id = :account_id AND ended_at IS NULL;

-- name: end_sessions
UPDATE session SET ended_at = :now, ended_because = :because
 WHERE account_id = :account_id AND ended_at IS NULL AND id IS DISTINCT FROM :except_id::bigint;

-- name: insert_mailed_token
INSERT INTO mailed_token (digest, account_id, purpose, password_hash, name, expires_at)
VALUES (:digest, :account_id, :purpose, :password_hash, :name, :expires_at);

-- name: owner_of_mailed_token
SELECT account_id FROM mailed_token WHERE digest = :digest AND purpose = :purpose AND expires_at > :now;

-- name: take_mailed_token
DELETE FROM mailed_token WHERE digest = :digest AND purpose = :purpose AND expires_at > :now
RETURNING password_hash, name;

-- name: delete_mailed_tokens
DELETE FROM mailed_token WHERE account_id = :account_id;

-- name: account_of_identity
SELECT account_id FROM identity WHERE issuer = :issuer AND subject = :subject;

-- name: insert_identity
INSERT INTO identity (issuer, subject, account_id, linked_at) VALUES (:issuer, :subject, :account_id, :now);

-- name: locked_until
-- Until when a count stays at its most, or NULL when there is room.
SELECT ends_at FROM login_count WHERE subject = :subject AND count >= :most::integer AND ends_at > :now;

-- name: count_one
-- One more. Reaching the most starts the lock; what comes after that counts as one more than the most until its time is
-- over. No most: the count just goes on until its time is over.
INSERT INTO login_count AS known (subject, count, ends_at)
VALUES (:subject, 1, :now::timestamptz
                     + make_interval(secs => CASE WHEN :most::integer <= 1 THEN :lock_seconds::integer
                                                  ELSE :window_seconds::integer END))
ON CONFLICT (subject) DO UPDATE SET
    count = CASE WHEN known.ends_at <= :now THEN 1 ELSE LEAST(known.count + 1, :most + 1) END,
    ends_at = CASE WHEN known.ends_at <= :now THEN excluded.ends_at
                   WHEN known.count + 1 = :most THEN :now::timestamptz + make_interval(secs => :lock_seconds)
                   ELSE known.ends_at END
RETURNING count, ends_at;

-- name: lock_count
-- Waits for whoever counts this subject now.
SELECT count, ends_at FROM login_count WHERE subject = :subject AND ends_at > :now FOR UPDATE;

-- name: forget_count
DELETE FROM login_count WHERE subject = :subject;

-- name: forget_counts
DELETE FROM login_count WHERE ends_at < :now;

-- name: forget_mailed_tokens
DELETE FROM mailed_token WHERE expires_at < :now;

-- name: forget_sessions
-- Sessions nobody can continue, and after a while those that ended.
DELETE FROM session WHERE id IN (SELECT id FROM session WHERE expires_at < :now ORDER BY expires_at LIMIT :limit);

-- name: delete_sessions
DELETE FROM session WHERE account_id = :account_id;

-- name: delete_identities
DELETE FROM identity WHERE account_id = :account_id;
