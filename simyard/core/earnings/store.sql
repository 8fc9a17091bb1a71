-- name: insert_earnings
INSERT INTO earning (lease_id, account_id, amount, state, earned_at, due_at)
SELECT lease_id, account_id, amount, :state, :now, :due_at
  FROM unnest(:lease_ids::bigint[], :account_ids::bigint[], :amounts::bigint[]) AS given (lease_id, account_id, amount);

-- name: take_due
-- Those another transaction holds (a reversal, or another process) are passed over.
SELECT id, lease_id, account_id, amount, state FROM earning
 WHERE state = 'pending' AND due_at <= :now ORDER BY due_at, id LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED;

-- name: lock_of_lease
SELECT id, lease_id, account_id, amount, state FROM earning WHERE lease_id = :lease_id FOR NO KEY UPDATE;

-- name: set_state
UPDATE earning SET state = :state WHERE id = ANY (:earning_ids::bigint[]);

-- name: by_day
SELECT (earned_at AT TIME ZONE 'UTC')::date AS day, count(*) AS leases, sum(amount)::bigint AS earned,
       count(*) FILTER (WHERE state = 'reversed') AS reversed_leases,
       COALESCE(sum(amount) FILTER (WHERE state = 'reversed'), 0)::bigint AS reversed
  FROM earning
 WHERE account_id = :account_id AND earned_at >= COALESCE(:since::timestamptz, '-infinity')
   AND earned_at < COALESCE(:until::timestamptz, 'infinity')
 GROUP BY 1 ORDER BY 1;

-- name: insert_payout
WITH inserted AS (
    INSERT INTO payout (account_id, amount, method, requested_at) VALUES (:account_id, :amount, :method, :now)
    RETURNING *
)
SELECT inserted.id, inserted.account_id, account.email, wallet.currency, inserted.amount, inserted.method,
       inserted.state, inserted.note, inserted.requested_at, inserted.closed_at
  FROM inserted JOIN account ON account.id = inserted.account_id JOIN wallet ON wallet.account_id = account.id;

-- name: lock_payout
SELECT payout.id, payout.account_id, account.email, wallet.currency, payout.amount, payout.method, payout.state,
       payout.note, payout.requested_at, payout.closed_at
  FROM payout JOIN account ON account.id = payout.account_id JOIN wallet ON wallet.account_id = account.id
 WHERE payout.id = :payout_id FOR NO KEY UPDATE OF payout;

-- name: close_payout
UPDATE payout SET state = :state, note = :note, closed_at = :now WHERE id = :payout_id;

-- name: payouts
-- Newest first.
SELECT payout.id, payout.account_id, account.email, wallet.currency, payout.amount, payout.method, payout.state,
       payout.note, payout.requested_at, payout.closed_at
  FROM payout JOIN account ON account.id = payout.account_id JOIN wallet ON wallet.account_id = account.id
 WHERE (:account_id::bigint IS NULL OR payout.account_id = :account_id)
   AND (:state::text IS NULL OR payout.state = :state)
 ORDER BY payout.id DESC LIMIT :limit;

-- name: lock_payouts_of
SELECT id, state FROM payout WHERE account_id = :account_id ORDER BY id FOR NO KEY UPDATE;

-- name: erase_payouts
-- Where money went is the supplier's affair; by what reference it left is the bank's, and part of the books.
UPDATE payout SET method = :method, note = CASE state WHEN 'paid' THEN note END WHERE account_id = :account_id;
