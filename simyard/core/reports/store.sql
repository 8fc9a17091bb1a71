-- name: profile
-- An account with its sums.
SELECT account.id, account.email, account.state, account.created_at, wallet.currency, wallet.available, wallet.spent,
       (SELECT COALESCE(sum(transfer.amount), 0)::bigint FROM transfer
         WHERE transfer.credit_id = wallet.available_id AND transfer.kind = 'deposit') AS deposited,
       (SELECT COALESCE(sum(transfer.amount), 0)::bigint FROM transfer
         WHERE transfer.credit_id = wallet.available_id AND transfer.kind = 'referral')
       - (SELECT COALESCE(sum(transfer.amount), 0)::bigint FROM transfer
           WHERE transfer.debit_id IN (wallet.available_id, wallet.debt_id)
             AND transfer.kind = 'referral_reversal') AS income,
       (SELECT COALESCE(sum(activation.messages), 0) FROM activation WHERE activation.account_id = account.id)
       + (SELECT COALESCE(sum(rental.messages), 0) FROM rental WHERE rental.account_id = account.id) AS messages
  FROM account JOIN wallet ON wallet.account_id = account.id
 WHERE account.id = :account_id;
