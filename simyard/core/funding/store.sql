-- name: find_customer
SELECT account.email, account.name, wallet.currency
  FROM account JOIN wallet ON wallet.account_id = account.id WHERE account.id = :account_id;

-- name: list_virtual_accounts
SELECT id, public_id, bank_code, bank_name, account_number, account_name, currency, created_at
  FROM virtual_account
 WHERE account_id = :account_id AND provider = :provider AND state = 'open' ORDER BY id;

-- name: count_virtual_accounts
SELECT count(*) FROM virtual_account
 WHERE account_id = :account_id AND provider = :provider AND state IN ('creating', 'open');

-- name: known_numbers
SELECT account_number FROM virtual_account
 WHERE account_id = :account_id AND provider = :provider AND state = 'open';

-- name: find_creation
SELECT id, attempts, in_flight AND next_attempt_at > :now AS in_flight FROM virtual_account
 WHERE account_id = :account_id AND provider = :provider AND bank_code = :bank_code AND state = 'creating'
   FOR UPDATE;

-- name: insert_creation
INSERT INTO virtual_account (account_id, public_id, provider, bank_code, currency, next_attempt_at, created_at)
VALUES (:account_id, :public_id, :provider, :bank_code, :currency, :claimed_until, :now)
RETURNING id;

-- name: adopt_creation
UPDATE virtual_account SET attempts = attempts + 1, in_flight = true, next_attempt_at = :claimed_until
 WHERE id = :virtual_account_id AND state = 'creating';

-- name: claim_creations
WITH due AS (
    SELECT id FROM virtual_account
     WHERE state = 'creating' AND provider = :provider AND next_attempt_at <= :now
     ORDER BY next_attempt_at, id LIMIT :limit FOR UPDATE SKIP LOCKED
)
UPDATE virtual_account
   SET attempts = virtual_account.attempts + 1, in_flight = true, next_attempt_at = :claimed_until
  FROM due, account
 WHERE virtual_account.id = due.id AND account.id = virtual_account.account_id
RETURNING virtual_account.id, virtual_account.account_id, account.email, virtual_account.currency,
          virtual_account.bank_code, virtual_account.attempts;

-- name: open_virtual_account
-- A provider that makes the same account again says something about the one we have, so nothing is written then.
UPDATE virtual_account
   SET state = 'open', bank_name = :bank_name, account_number = :account_number, account_name = :account_name,
       currency = :currency, provider_id = :provider_id, in_flight = false, next_attempt_at = NULL, problem = NULL
 WHERE id = :virtual_account_id AND state = 'creating'
RETURNING id, public_id, bank_code, bank_name, account_number, account_name, currency, created_at;

-- name: lock_virtual_account
SELECT account_id, provider, state FROM virtual_account WHERE id = :virtual_account_id FOR UPDATE;

-- name: find_open_by_number
SELECT id, public_id, bank_code, bank_name, account_number, account_name, currency, created_at, account_id
  FROM virtual_account WHERE provider = :provider AND account_number = :account_number;

-- name: postpone_creation
UPDATE virtual_account SET in_flight = false, next_attempt_at = :next_attempt_at, problem = :problem
 WHERE id = :virtual_account_id AND state = 'creating' AND attempts = :attempts;

-- name: fail_creation
UPDATE virtual_account SET state = 'failed', in_flight = false, next_attempt_at = NULL, problem = :problem
 WHERE id = :virtual_account_id AND state = 'creating' AND attempts = :attempts;

-- name: insert_deposit
INSERT INTO deposit (provider, reference, next_attempt_at, seen_at)
VALUES (:provider, :reference, :now, :now)
ON CONFLICT ON CONSTRAINT deposit_once DO NOTHING
RETURNING id;

-- name: wake_worker
SELECT pg_notify('simyard_due', 'funding');

-- name: claim_deposits
WITH due AS (
    SELECT id FROM deposit
     WHERE state = 'seen' AND provider = :provider AND next_attempt_at <= :now
     ORDER BY next_attempt_at, id LIMIT :limit FOR UPDATE SKIP LOCKED
)
UPDATE deposit SET attempts = deposit.attempts + 1, next_attempt_at = :claimed_until FROM due
 WHERE deposit.id = due.id
RETURNING deposit.id, deposit.provider, deposit.reference, deposit.attempts;

-- name: lock_deposit
-- Whoever comes second sees what the first decided.
SELECT id, provider, reference, state, attempts FROM deposit WHERE id = :deposit_id FOR UPDATE;

-- name: find_receiver
SELECT virtual_account.id, virtual_account.account_id, wallet.currency
  FROM virtual_account JOIN wallet ON wallet.account_id = virtual_account.account_id
 WHERE virtual_account.provider = :provider AND virtual_account.account_number = :account_number;

-- name: credit_deposit
UPDATE deposit
   SET state = 'credited', virtual_account_id = :virtual_account_id, currency = :currency, amount = :amount,
       next_attempt_at = NULL, problem = NULL, closed_at = :now
 WHERE id = :deposit_id AND state = 'seen';

-- name: refuse_deposit
UPDATE deposit
   SET state = 'refused', reason = :reason, virtual_account_id = :virtual_account_id, currency = :currency,
       amount = :amount, next_attempt_at = NULL, closed_at = :now
 WHERE id = :deposit_id AND state = 'seen';

-- name: postpone_deposit
UPDATE deposit SET next_attempt_at = :next_attempt_at, problem = :problem
 WHERE id = :deposit_id AND state = 'seen' AND attempts = :attempts;

-- name: reopen_deposit
UPDATE deposit
   SET state = 'seen', reason = NULL, virtual_account_id = NULL, currency = NULL, amount = NULL, attempts = 0,
       next_attempt_at = :now, closed_at = NULL
 WHERE provider = :provider AND reference = :reference AND state = 'refused'
RETURNING id;

-- name: list_deposits
-- Newest first, as an operator looks for them.
SELECT deposit.id, deposit.provider, deposit.reference, deposit.state, deposit.reason, account.email, deposit.currency,
       deposit.amount, deposit.attempts, deposit.problem, deposit.seen_at, deposit.closed_at
  FROM deposit
  LEFT JOIN virtual_account ON virtual_account.id = deposit.virtual_account_id
  LEFT JOIN account ON account.id = virtual_account.account_id
 WHERE (:state::text IS NULL OR deposit.state = :state)
   AND (:account_id::bigint IS NULL OR virtual_account.account_id = :account_id)
 ORDER BY deposit.id DESC LIMIT :limit;

-- name: insert_sandbox_payment
INSERT INTO sandbox_payment (reference, account_number, currency, amount_minor, paid_at)
VALUES (:reference, :account_number, :currency, :amount_minor, :now)
ON CONFLICT (reference) DO NOTHING
RETURNING reference;

-- name: find_sandbox_payment
SELECT account_number, currency, amount_minor FROM sandbox_payment WHERE reference = :reference;

-- name: close_virtual_accounts
-- What bank and provider call them goes; that there were any stays, for the deposits.
UPDATE virtual_account
   SET state = 'closed', bank_name = NULL, account_number = NULL, account_name = NULL, provider_id = NULL, problem = NULL,
       in_flight = false, next_attempt_at = NULL
 WHERE account_id = :account_id;

-- name: erase_deposits
-- What a provider said in words goes; its reference stays, so that no deposit is credited twice.
UPDATE deposit SET problem = NULL FROM virtual_account
 WHERE deposit.virtual_account_id = virtual_account.id AND virtual_account.account_id = :account_id;

-- name: erase_sandbox_payments
UPDATE sandbox_payment SET account_number = '' FROM virtual_account
 WHERE virtual_account.account_id = :account_id AND virtual_account.provider = :provider
   AND sandbox_payment.account_number = virtual_account.account_number;
