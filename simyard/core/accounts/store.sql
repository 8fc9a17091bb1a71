-- name: insert_account
INSERT INTO account (email, role, password_hash, name, email_verified_at, created_at)
VALUES (:email, :role, :password_hash, :name, :verified_at, :now)
RETURNING id, email, role, state;

-- name: find_account
SELECT id, email, role, state FROM account WHERE email = :email;

-- name: view
SELECT id, email, role, state, name, created_at FROM account WHERE email = :email;

-- name: list_accounts
SELECT id, email, role, state, name, created_at FROM account
 WHERE (:role::text IS NULL OR role = :role) AND (:state::text IS NULL OR state = :state)
   AND (:email_part::text IS NULL OR position(:email_part IN email) > 0)
 ORDER BY id DESC LIMIT :limit;

-- name: find_email
SELECT email FROM account WHERE id = :account_id;

-- name: set_account_state
UPDATE account SET state = :state WHERE email = :email RETURNING id, email, role, state;

-- name: insert_key
INSERT INTO api_key (account_id, digest, hint, scopes, networks, pool_id, created_at)
VALUES (:account_id, :digest, :hint, :scopes::text[], :networks::text[]::cidr[], :pool_id, :now)
RETURNING id;

-- name: set_key_enabled
UPDATE api_key SET enabled = :enabled WHERE account_id = :account_id AND id = :key_id RETURNING id;

-- name: list_keys
SELECT id, hint, scopes, networks::text[] AS networks, enabled, pool_id, created_at
  FROM api_key WHERE account_id = :account_id ORDER BY id;

-- name: lock_account
SELECT id, email, role, state FROM account WHERE id = :account_id FOR NO KEY UPDATE;

-- name: find_account_by_id
SELECT id, email, role, state FROM account WHERE id = :account_id;

-- name: find_name
SELECT name FROM account WHERE id = :account_id;

-- name: delete_keys
DELETE FROM api_key WHERE account_id = :account_id;

-- name: erase_account
UPDATE account
   SET state = 'erased', email = 'erased-' || id, name = '', password_hash = NULL, email_verified_at = NULL
 WHERE id = :account_id;
