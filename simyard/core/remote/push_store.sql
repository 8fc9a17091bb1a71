-- name: admit
-- The pools whose own key a push carries, and whether it may come from where it does.
SELECT asked.ordinal, profile.pool_id, account.id AS account_id, account.email, account.state,
       CASE WHEN COALESCE(profile.switches ->> 'push_networks', '') = '' THEN true
            WHEN asked.address = '' THEN false
            ELSE asked.address::inet <<= ANY (string_to_array(profile.switches ->> 'push_networks', ',')::cidr[])
       END AS address_allowed
  FROM unnest(:digests::bytea[], :addresses::text[]) WITH ORDINALITY AS asked (digest, address, ordinal)
  LEFT JOIN remote_profile AS profile ON profile.key_in_digest = asked.digest
  LEFT JOIN pool ON pool.id = profile.pool_id
  LEFT JOIN account ON account.id = pool.supplier_id
 ORDER BY asked.ordinal;

-- name: find_meant
-- Of each push: whether its number is its supplier's, and leased; the number of the operation it names; whether he is
-- being asked for a number right now; and the switches of his pool.
SELECT given.ordinal, named.pool_id IS NOT NULL AS known, COALESCE(named.leased, false) AS leased, operation.msisdn,
       CASE WHEN named.leased THEN false ELSE
            EXISTS (SELECT FROM remote_lease JOIN pool ON pool.id = remote_lease.pool_id
                     WHERE remote_lease.state = 'asking' AND pool.supplier_id = given.supplier_id)
       END AS asking,
       profile.switches
  FROM unnest(:supplier_ids::bigint[], :pool_ids::bigint[], :msisdns::text[], :remote_ids::text[])
       WITH ORDINALITY AS given (supplier_id, pool_id, msisdn, remote_ids, ordinal)
  LEFT JOIN LATERAL (
       SELECT number.pool_id, number.lease_id IS NOT NULL AS leased FROM number JOIN pool ON pool.id = number.pool_id
        WHERE number.msisdn = given.msisdn AND pool.supplier_id = given.supplier_id) AS named ON true
  LEFT JOIN LATERAL (
       SELECT remote_lease.pool_id, remote_lease.msisdn FROM remote_lease JOIN pool ON pool.id = remote_lease.pool_id
        WHERE remote_lease.remote_id = ANY (string_to_array(given.remote_ids, E'\n')) AND remote_lease.state = 'held'
          AND pool.supplier_id = given.supplier_id AND COALESCE(pool.id = given.pool_id, true)
        ORDER BY remote_lease.id DESC LIMIT 1) AS operation ON true
  LEFT JOIN LATERAL (
       SELECT remote_profile.switches FROM remote_profile JOIN pool ON pool.id = remote_profile.pool_id
        WHERE pool.supplier_id = given.supplier_id
        ORDER BY pool.id = COALESCE(named.pool_id, operation.pool_id, given.pool_id) DESC NULLS LAST, pool.id
        LIMIT 1) AS profile ON true
 ORDER BY given.ordinal;
