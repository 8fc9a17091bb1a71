-- name: insert_pool
INSERT INTO pool (name, kind, supplier_id, share_basis_points, reserved_for, rent_allowed, consent, consented_at,
                  online_until, created_at)
VALUES (:name, :kind, :supplier_id, :share_basis_points, :reserved_for, :rent_allowed, :consent,
        CASE WHEN :consent::text IS NULL THEN NULL ELSE :now::timestamptz END,
        CASE WHEN :kind = 'sandbox' THEN 'infinity'::timestamptz ELSE '-infinity'::timestamptz END, :now)
RETURNING id, name, kind, supplier_id, rent_allowed;

-- name: find_pool
SELECT id, name, kind, supplier_id, rent_allowed FROM pool WHERE id = :pool_id;

-- name: find_pool_by_name
SELECT id, name, kind, supplier_id, rent_allowed FROM pool WHERE name = :name;

-- name: list_pools
SELECT pool.id, pool.name, pool.kind, pool.supplier_id, pool.rent_allowed, account.email, pool.share_basis_points,
       pool.enabled, pool.consent IS NOT NULL AS consented, pool.reserved_for,
       CASE WHEN isfinite(pool.online_until) THEN pool.online_until END AS online_until
  FROM pool LEFT JOIN account ON account.id = pool.supplier_id
 WHERE (:kind::text IS NULL OR pool.kind = :kind)
   AND (:supplier_id::bigint IS NULL OR pool.supplier_id = :supplier_id)
 ORDER BY pool.id LIMIT :limit;

-- name: direct_pool_of
-- The pool a supplier's reports go to: the one his key names, or his first. Locked, as its sign of life would lock it: one
-- whose supplier is being erased is waited for, and is his no more.
SELECT id, name, kind, supplier_id, rent_allowed FROM pool
 WHERE supplier_id = :supplier_id AND kind = 'direct' AND COALESCE(id = :pool_id, true)
 ORDER BY id LIMIT 1 FOR NO KEY UPDATE;

-- name: lock_supplied
SELECT id, name, kind, supplier_id, rent_allowed FROM pool
 WHERE id = :pool_id AND supplier_id IS NOT NULL FOR NO KEY UPDATE;

-- name: lock_pools_of
SELECT id FROM pool WHERE supplier_id = :supplier_id ORDER BY id FOR NO KEY UPDATE;

-- name: erase_pools
-- A name may be a person's.
UPDATE pool SET name = 'erased-' || id, supplier_id = NULL, enabled = false, consent = NULL, consented_at = NULL
 WHERE id = ANY (:pool_ids::bigint[]);

-- name: set_consent
UPDATE pool SET consent = :consent, consented_at = :now WHERE id = :pool_id RETURNING id;

-- name: set_enabled
UPDATE pool SET enabled = :enabled WHERE id = :pool_id RETURNING id;

-- name: set_rent_allowed
UPDATE pool SET rent_allowed = :allowed WHERE id = :pool_id RETURNING id, name, kind, supplier_id, rent_allowed;

-- name: mark_online
UPDATE pool SET online_until = :until WHERE id = :pool_id AND online_until < :until;

-- name: blacklist
INSERT INTO pool_blacklist (pool_id, service_id, set_at) VALUES (:pool_id, :service_id, :now) ON CONFLICT DO NOTHING;

-- name: unblacklist
DELETE FROM pool_blacklist WHERE pool_id = :pool_id AND service_id = :service_id;

-- name: blacklisted
SELECT service_id FROM pool_blacklist WHERE pool_id = :pool_id ORDER BY service_id;

-- name: set_filter_side
UPDATE pool SET filter_side = :side WHERE id = :pool_id RETURNING id;
