-- name: insert_referral
INSERT INTO referral (referred_id, referrer_id, share_basis_points, base_currency, since)
VALUES (:referred_id, :referrer_id, :share_basis_points, :base_currency, :now);

-- name: shares
SELECT referred_id, referrer_id, share_basis_points, base_currency FROM referral
 WHERE referred_id = ANY (:referred_ids::bigint[]);

-- name: income
-- Without what was taken back.
SELECT COALESCE((SELECT sum(transfer.amount) FROM transfer
                  WHERE transfer.credit_id = wallet.available_id AND transfer.kind = 'referral'), 0)::bigint
       - COALESCE((SELECT sum(transfer.amount) FROM transfer
                    WHERE transfer.debit_id IN (wallet.available_id, wallet.debt_id)
                      AND transfer.kind = 'referral_reversal'), 0)::bigint
  FROM wallet WHERE wallet.account_id = :account_id;
