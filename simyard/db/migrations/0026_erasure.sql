-- Accounts whose person was erased: what they bought and earned stays in the books, who they were is gone.

-- The row stays, because the ledger and the leases name it. No email looks like the one it has now, so nobody can register
-- with it, log in with it or be mailed at it.
ALTER TABLE account
    DROP CONSTRAINT account_state_check,
    ADD CONSTRAINT account_state_check CHECK (state IN ('active', 'suspended', 'locked', 'erased')),
    ADD CONSTRAINT account_erased_is_nobody
        CHECK (state <> 'erased' OR (email = 'erased-' || id AND name = '' AND password_hash IS NULL
                                     AND email_verified_at IS NULL));

-- Whoever spends or is paid locks the wallet, so the wallet itself has to say that it is closed: another table's row would
-- be read as it was before the wait.
ALTER TABLE wallet
    ADD COLUMN closed boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT wallet_closed_is_empty
        CHECK (NOT closed OR (available = 0 AND held = 0 AND pending = 0 AND debt = 0));

-- The numbers of an erased supplier are nobody's, and off sale: leases still name his pool.
ALTER TABLE pool
    DROP CONSTRAINT pool_check1,
    ADD CONSTRAINT pool_direct_has_supplier CHECK (kind <> 'direct' OR supplier_id IS NOT NULL OR NOT enabled);

-- A bank account we do not know any more. Its row stays: deposits name it, and so whose they were.
ALTER TABLE virtual_account
    DROP CONSTRAINT virtual_account_state_check,
    ADD CONSTRAINT virtual_account_state_check CHECK (state IN ('creating', 'open', 'failed', 'closed'));
