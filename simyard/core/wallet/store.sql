-- name: insert_wallet
WITH ledger AS (
    INSERT INTO ledger_account (kind, account_id, currency)
    SELECT kind, :account_id, :currency FROM unnest(ARRAY['available', 'held', 'pending', 'debt']) AS kind
    RETURNING id, kind
)
INSERT INTO wallet (account_id, currency, available_id, held_id, pending_id, debt_id)
SELECT :account_id, :currency, (SELECT id FROM ledger WHERE kind = 'available'),
       (SELECT id FROM ledger WHERE kind = 'held'), (SELECT id FROM ledger WHERE kind = 'pending'),
       (SELECT id FROM ledger WHERE kind = 'debt');

-- name: ensure_shared_accounts
INSERT INTO ledger_account (kind, account_id, currency)
SELECT kind, NULL, :currency FROM unnest(:kinds::text[]) AS kind
ON CONFLICT DO NOTHING;

-- name: shared_accounts
SELECT id, kind, currency FROM ledger_account
 WHERE kind = ANY (:kinds::text[]) AND account_id IS NULL AND currency = ANY (:currencies::text[]);

-- name: lock_wallets
-- In the order of account ids, so that two transactions never wait for each other in a ring.
SELECT account_id, currency, available_id, held_id, pending_id, debt_id, available, held, pending, debt, spent,
       closed
  FROM wallet WHERE account_id = ANY (:account_ids::bigint[]) ORDER BY account_id FOR UPDATE;

-- name: close_wallet
UPDATE wallet SET closed = true WHERE account_id = :account_id;

-- name: balance
SELECT currency, available, held, spent, pending, debt FROM wallet WHERE account_id = :account_id;

-- name: balances
SELECT account_id, currency, available, held, spent, pending, debt FROM wallet
 WHERE account_id = ANY (:account_ids::bigint[]);

-- name: currencies
SELECT account_id, currency FROM wallet WHERE account_id = ANY (:account_ids::bigint[]);

-- name: post
-- Adds transfers and moves the wallets' running balances by the same amounts.
WITH posted AS (
    INSERT INTO transfer (reference, kind, debit_id, credit_id, currency, amount, created_at)
    SELECT reference, kind, debit_id, credit_id, currency, amount, :now
      FROM unnest(:references::text[], :kinds::text[], :debits::bigint[], :credits::bigint[], :currencies::text[],
                  :amounts::bigint[]) AS given (reference, kind, debit_id, credit_id, currency, amount)
)
UPDATE wallet
   SET available = wallet.available + change.available, held = wallet.held + change.held,
       pending = wallet.pending + change.pending, debt = wallet.debt + change.debt,
       spent = wallet.spent + change.spent
  FROM unnest(:account_ids::bigint[], :available::bigint[], :held::bigint[], :pending::bigint[], :debts::bigint[],
              :spent::bigint[])
       AS change (account_id, available, held, pending, debt, spent)
 WHERE wallet.account_id = change.account_id;

-- name: booked
SELECT transfer.reference, transfer.debit_id, transfer.credit_id, transfer.amount, ledger_account.account_id
  FROM transfer JOIN ledger_account ON ledger_account.id = transfer.credit_id
 WHERE transfer.reference = ANY (:references::text[]);

-- name: totals
SELECT ledger_account.currency, ledger_account.kind, sum(entry.amount)::bigint AS amount, count(*) AS entries
  FROM entry JOIN ledger_account ON ledger_account.id = entry.ledger_account_id
 GROUP BY ledger_account.currency, ledger_account.kind ORDER BY 1, 2;

-- name: wrong_wallets
-- Wallets whose running balances are not what their entries sum to, or whose spending is not what paid for leases,
-- without what was refunded. A debt is how far its ledger account stands below zero.
WITH total AS (
    SELECT ledger_account_id, sum(amount) AS amount FROM entry GROUP BY ledger_account_id
), paid AS (
    SELECT debit_id, sum(amount) AS amount FROM transfer WHERE kind = ANY (:spending::text[]) GROUP BY debit_id
), refunded AS (
    SELECT credit_id, sum(amount) AS amount FROM transfer WHERE kind = 'refund' GROUP BY credit_id
)
SELECT wallet.account_id
  FROM wallet
  LEFT JOIN total AS available ON available.ledger_account_id = wallet.available_id
  LEFT JOIN total AS held ON held.ledger_account_id = wallet.held_id
  LEFT JOIN total AS pending ON pending.ledger_account_id = wallet.pending_id
  LEFT JOIN total AS debt ON debt.ledger_account_id = wallet.debt_id
  LEFT JOIN paid AS paid_available ON paid_available.debit_id = wallet.available_id
  LEFT JOIN paid AS paid_held ON paid_held.debit_id = wallet.held_id
  LEFT JOIN refunded ON refunded.credit_id = wallet.available_id
 WHERE wallet.available <> COALESCE(available.amount, 0) OR wallet.held <> COALESCE(held.amount, 0)
    OR wallet.pending <> COALESCE(pending.amount, 0) OR wallet.debt <> -COALESCE(debt.amount, 0)
    OR wallet.spent
       <> COALESCE(paid_available.amount, 0) + COALESCE(paid_held.amount, 0) - COALESCE(refunded.amount, 0)
 ORDER BY wallet.account_id;

-- name: wallet_count
SELECT count(*) FROM wallet;

-- name: ledger_accounts_of
SELECT currency, available_id, held_id, pending_id, debt_id FROM wallet WHERE account_id = :account_id;

-- name: statement_totals
-- The id of a wallet's transfer is drawn while the wallet is locked, so all of them up to the last one seen are committed.
SELECT COALESCE(max(id), 0) AS last_id,
       COALESCE(sum(available) FILTER (WHERE is_before), 0)::bigint AS available_before,
       COALESCE(sum(held) FILTER (WHERE is_before), 0)::bigint AS held_before,
       COALESCE(sum(pending) FILTER (WHERE is_before), 0)::bigint AS pending_before,
       COALESCE(sum(debt) FILTER (WHERE is_before), 0)::bigint AS debt_before,
       COALESCE(sum(available) FILTER (WHERE NOT is_after), 0)::bigint AS available_after,
       COALESCE(sum(held) FILTER (WHERE NOT is_after), 0)::bigint AS held_after,
       COALESCE(sum(pending) FILTER (WHERE NOT is_after), 0)::bigint AS pending_after,
       COALESCE(sum(debt) FILTER (WHERE NOT is_after), 0)::bigint AS debt_after
  FROM (SELECT id, created_at < COALESCE(:since::timestamptz, '-infinity') AS is_before,
               created_at >= COALESCE(:until::timestamptz, 'infinity') AS is_after,
               amount * ((credit_id = :available_id)::integer - (debit_id = :available_id)::integer) AS available,
               amount * ((credit_id = :held_id)::integer - (debit_id = :held_id)::integer) AS held,
               amount * ((credit_id = :pending_id)::integer - (debit_id = :pending_id)::integer) AS pending,
               amount * ((debit_id = :debt_id)::integer - (credit_id = :debt_id)::integer) AS debt
          FROM transfer
         WHERE debit_id IN (:available_id, :held_id, :pending_id, :debt_id)
            OR credit_id IN (:available_id, :held_id, :pending_id, :debt_id)) AS moved;

-- name: statement_lines
-- Each way into or out of a wallet is an index of its own, read from where the last page ended.
WITH page AS (
    SELECT moved.id FROM unnest(ARRAY[:available_id, :held_id, :pending_id, :debt_id]::bigint[]) AS own (id)
     CROSS JOIN LATERAL (SELECT transfer.id FROM transfer
                          WHERE transfer.debit_id = own.id AND transfer.id > :after AND transfer.id <= :last_id
                            AND created_at >= COALESCE(:since::timestamptz, '-infinity')
                            AND created_at < COALESCE(:until::timestamptz, 'infinity')
                          ORDER BY transfer.id LIMIT :limit) AS moved
    UNION
    SELECT moved.id FROM unnest(ARRAY[:available_id, :held_id, :pending_id, :debt_id]::bigint[]) AS own (id)
     CROSS JOIN LATERAL (SELECT transfer.id FROM transfer
                          WHERE transfer.credit_id = own.id AND transfer.id > :after AND transfer.id <= :last_id
                            AND created_at >= COALESCE(:since::timestamptz, '-infinity')
                            AND created_at < COALESCE(:until::timestamptz, 'infinity')
                          ORDER BY transfer.id LIMIT :limit) AS moved
    ORDER BY id LIMIT :limit
)
SELECT id, created_at, kind, reference,
       amount * ((credit_id = :available_id)::integer - (debit_id = :available_id)::integer) AS available,
       amount * ((credit_id = :held_id)::integer - (debit_id = :held_id)::integer) AS held,
       amount * ((credit_id = :pending_id)::integer - (debit_id = :pending_id)::integer) AS pending,
       amount * ((debit_id = :debt_id)::integer - (credit_id = :debt_id)::integer) AS debt
  FROM transfer JOIN page USING (id) ORDER BY id;
