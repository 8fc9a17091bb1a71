-- name: insert_referral
INSERT INTO referral (referred_id, referrer_id, share_basis_points, base_currency, since)
VALUES (:referred_id, :referrer_id, :share_basis_points, :base_currency, :now);

-- name: shares
SELECT referred_id, referrer_id, share_basis_points, base_currency FROM referral
 WHERE referred_id = ANY (:referred_ids::bigint[]);

-- name: income
SELECT COALESCE(sum(transfer.amount), 0)::bigint FROM wallet
  JOIN transfer ON transfer.credit_id = wallet.available_id AND transfer.kind = 'referral'
 WHERE wallet.account_id = :account_id;
