-- One purchase the simple way, in one call: what the platform is measured against.
CREATE FUNCTION bench_order(buyer bigint, pool bigint, service integer, price bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    chosen record;
    purse  record;
    lease  bigint;
BEGIN
    SELECT number.id, number.msisdn, number.country INTO chosen FROM number
     WHERE number.pool_id = pool AND number.country = 'US' AND number.available
       AND NOT EXISTS (SELECT FROM activation
                        WHERE activation.number_id = number.id AND activation.service_id = service
                          AND NOT activation.repeatable)
     ORDER BY number.position, number.id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no numbers';
    END IF;
    lease := nextval('lease_id');
    UPDATE number SET lease_id = lease WHERE id = chosen.id;
    INSERT INTO activation (id, account_id, pool_id, number_id, msisdn, country, service_id, service_label, country_label,
                            state, price, currency, margin, earning, earning_currency, ordered_at, expires_at)
    VALUES (lease, buyer, pool, chosen.id, chosen.msisdn, chosen.country, service, 'bench', 'bench',
            'waiting', price, 'USD', price, 0, 'USD', now(), now() + interval '20 minutes');
    UPDATE wallet SET available = available - price, held = held + price WHERE account_id = buyer
    RETURNING available_id, held_id, currency INTO purse;
    INSERT INTO transfer (reference, kind, debit_id, credit_id, currency, amount, created_at)
    VALUES ('activation/' || lease || '/hold', 'hold', purse.available_id, purse.held_id, purse.currency, price, now());
    RETURN lease;
END $$;
