-- name: set_price
INSERT INTO price (service_id, country, pool_id, amount, set_at)
VALUES (:service_id, :country, :pool_id, :amount, :now)
ON CONFLICT (country, service_id, pool_id) DO UPDATE SET amount = excluded.amount, set_at = excluded.set_at;

-- name: unset_price
DELETE FROM price
 WHERE service_id = :service_id AND country = :country AND pool_id IS NOT DISTINCT FROM :pool_id RETURNING amount;

-- name: list_prices
SELECT price.service_id, price.country, price.pool_id, pool.name, price.amount, price.set_at
  FROM price LEFT JOIN pool ON pool.id = price.pool_id
 WHERE (:service_id::smallint IS NULL OR price.service_id = :service_id::smallint)
   AND (:country::text IS NULL OR price.country = :country)
   AND (:pool_id::bigint IS NULL OR price.pool_id = :pool_id)
 ORDER BY price.country, price.service_id, price.pool_id LIMIT :limit;

-- name: set_rate
INSERT INTO exchange_rate (currency, rate_nanos, set_at) VALUES (:currency, :rate_nanos, :now)
ON CONFLICT (currency) DO UPDATE SET rate_nanos = excluded.rate_nanos, set_at = excluded.set_at;

-- name: rates
SELECT currency, rate_nanos FROM exchange_rate;

-- name: offers_for
-- What every pool asks for each wanted service, cheapest first, also where it cannot sell at the moment. A pool's own
-- price comes before the price for all pools; a reserved pool sells one service only.
SELECT price.service_id, price.country, pool.id AS pool_id, pool.name AS pool_name, pool.kind, pool.reserved_for,
       pool.supplier_id, pool.share_basis_points, price.amount,
       COALESCE(remote.stock, GREATEST(COALESCE(shelf.available, 0) - COALESCE(shelf_used.used, 0), 0)) AS stock,
       pool.online_until > :now
       AND COALESCE(remote_profile.enabled AND remote_profile.open_until <= :now, true)
       AND NOT EXISTS (SELECT FROM withheld
                        WHERE withheld.pool_id = pool.id AND withheld.service_id = want.service_id
                          AND COALESCE(withheld.country = want.country, true) AND withheld.until > :now) AS online,
       EXISTS (SELECT FROM pool_standing
                WHERE pool_standing.pool_id = pool.id AND pool_standing.country = want.country
                  AND pool_standing.service_id = want.service_id AND pool_standing.poor_until > :now) AS poor
  FROM unnest(:service_ids::smallint[], :countries::text[]) AS want (service_id, country)
 CROSS JOIN pool
 CROSS JOIN LATERAL (
        SELECT price.service_id, price.country, price.amount FROM price
         WHERE price.country = want.country AND price.service_id = want.service_id
           AND (price.pool_id = pool.id OR price.pool_id IS NULL)
         ORDER BY price.pool_id NULLS LAST LIMIT 1
       ) AS price
  LEFT JOIN shelf ON shelf.country = want.country AND shelf.pool_id = pool.id
  LEFT JOIN shelf_used ON shelf_used.country = want.country AND shelf_used.pool_id = pool.id
                      AND shelf_used.service_id = want.service_id
  LEFT JOIN remote_profile ON remote_profile.pool_id = pool.id
 CROSS JOIN LATERAL (
        -- What a remote pool has that costs no more than its share of our price.
        SELECT sum(remote_offer.stock)::bigint AS stock FROM remote_offer
         WHERE pool.kind IN ('partner', 'upstream')
           AND remote_offer.country = want.country AND remote_offer.service_id = want.service_id
           AND remote_offer.pool_id = pool.id AND remote_offer.operator_name = ''
           AND COALESCE(remote_offer.price <= price.amount * pool.share_basis_points / 10000, true)
       ) AS remote
 WHERE pool.enabled AND pool.consent IS NOT NULL AND COALESCE(pool.reserved_for = want.service_id, true)
 ORDER BY price.service_id, price.country, price.amount, pool.id;

-- name: offers_in
-- Everything on offer in a country to an account, or one service of it, cheapest first within a service.
SELECT price.service_id, price.country, pool.id AS pool_id, pool.name AS pool_name, pool.kind, pool.reserved_for,
       pool.supplier_id, pool.share_basis_points, price.amount,
       COALESCE(remote.stock, GREATEST(COALESCE(shelf.available, 0) - COALESCE(shelf_used.used, 0), 0)) AS stock,
       true AS online
  FROM (SELECT DISTINCT ON (price.service_id, pool.id) price.service_id, price.country, price.amount, pool.id AS pool_id
          FROM price JOIN pool ON price.pool_id = pool.id OR price.pool_id IS NULL
         WHERE price.country = :country
           AND (:service_id::smallint IS NULL OR price.service_id = :service_id::smallint)
         ORDER BY price.service_id, pool.id, price.pool_id NULLS LAST) AS price
  JOIN pool ON pool.id = price.pool_id
  JOIN service ON service.id = price.service_id
  LEFT JOIN shelf ON shelf.country = price.country AND shelf.pool_id = pool.id
  LEFT JOIN shelf_used ON shelf_used.country = price.country AND shelf_used.pool_id = pool.id
                      AND shelf_used.service_id = price.service_id
  LEFT JOIN remote_profile ON remote_profile.pool_id = pool.id
 CROSS JOIN LATERAL (
        -- What a remote pool has that costs no more than its share of our price.
        SELECT sum(remote_offer.stock)::bigint AS stock FROM remote_offer
         WHERE pool.kind IN ('partner', 'upstream')
           AND remote_offer.country = price.country AND remote_offer.service_id = price.service_id
           AND remote_offer.pool_id = pool.id AND remote_offer.operator_name = ''
           AND COALESCE(remote_offer.price <= price.amount * pool.share_basis_points / 10000, true)
       ) AS remote
 WHERE pool.enabled AND pool.consent IS NOT NULL AND pool.online_until > :now
   AND COALESCE(remote_profile.enabled AND remote_profile.open_until <= :now, true)
   AND COALESCE(pool.reserved_for = price.service_id, true)
   AND NOT EXISTS (SELECT FROM withheld
                    WHERE withheld.pool_id = pool.id AND withheld.service_id = price.service_id
                      AND COALESCE(withheld.country = price.country, true) AND withheld.until > :now)
   AND (NOT service.prohibited
        OR EXISTS (SELECT FROM service_permission
                    WHERE service_permission.account_id = :account_id AND service_permission.service_id = service.id))
 ORDER BY price.service_id, price.amount, pool.id;

-- name: offered_countries
-- Countries in which at least one pool that can sell now has numbers and a price for something it does not withhold.
SELECT shelf.country FROM shelf JOIN pool ON pool.id = shelf.pool_id
 WHERE shelf.available > 0 AND pool.enabled AND pool.consent IS NOT NULL AND pool.online_until > :now
   AND EXISTS (SELECT FROM price WHERE price.country = shelf.country
                                   AND (price.pool_id = pool.id OR price.pool_id IS NULL)
                                   AND COALESCE(pool.reserved_for = price.service_id, true)
                                   AND NOT EXISTS (SELECT FROM withheld
                                                    WHERE withheld.pool_id = pool.id
                                                      AND withheld.service_id = price.service_id
                                                      AND COALESCE(withheld.country = price.country, true)
                                                      AND withheld.until > :now))
UNION
SELECT remote_offer.country FROM remote_offer JOIN pool ON pool.id = remote_offer.pool_id
 WHERE remote_offer.stock > 0 AND pool.enabled AND pool.consent IS NOT NULL AND pool.online_until > :now
   AND COALESCE(pool.reserved_for = remote_offer.service_id, true)
   AND EXISTS (SELECT FROM price WHERE price.country = remote_offer.country
                                   AND price.service_id = remote_offer.service_id
                                   AND (price.pool_id = pool.id OR price.pool_id IS NULL))
   AND NOT EXISTS (SELECT FROM withheld
                    WHERE withheld.pool_id = pool.id AND withheld.service_id = remote_offer.service_id
                      AND COALESCE(withheld.country = remote_offer.country, true) AND withheld.until > :now)
 ORDER BY country;

-- name: plan_tariffs
-- For the rest of the transaction: a plan for one country is no plan for all of them, and what is joined for all fits
-- into memory.
SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('work_mem', '64MB', true);

-- name: tariffs
-- Of each country and service the price an order without a pool is charged: the cheapest pool's that has numbers now,
-- else the cheapest; and the stock of all of them. A pool's own price comes before the price for all pools; a reserved
-- pool sells one service only. What grows with services and pools at once are the shelves that hold numbers.
WITH seller AS MATERIALIZED (
    SELECT pool.id, pool.reserved_for, pool.share_basis_points,
           pool.online_until > :now
           AND COALESCE(remote_profile.enabled AND remote_profile.open_until <= :now, true) AS online
      FROM pool LEFT JOIN remote_profile ON remote_profile.pool_id = pool.id
     WHERE pool.enabled AND pool.consent IS NOT NULL
), offered AS MATERIALIZED (
    SELECT service.id, (SELECT count(*) FROM seller WHERE COALESCE(seller.reserved_for = service.id, true)) AS sellers
      FROM service
     WHERE service.id = ANY (:service_ids::smallint[])
       AND (NOT service.prohibited
            OR EXISTS (SELECT FROM service_permission
                        WHERE service_permission.account_id = :account_id::bigint
                          AND service_permission.service_id = service.id))
), priced AS MATERIALIZED (
    SELECT price.country, price.service_id, offered.sellers,
           min(price.amount) FILTER (WHERE price.pool_id IS NULL) AS common,
           min(price.amount) FILTER (WHERE seller.id IS NOT NULL) AS own, count(seller.id) AS owners
      FROM price
      JOIN offered ON offered.id = price.service_id
      LEFT JOIN seller ON seller.id = price.pool_id AND COALESCE(seller.reserved_for = price.service_id, true)
     WHERE price.country = ANY (:countries::text[])
     GROUP BY price.country, price.service_id, offered.sellers
), unsold AS MATERIALIZED (
    SELECT withheld.pool_id, country.country, withheld.service_id
      FROM withheld JOIN unnest(:countries::text[]) AS country ON COALESCE(withheld.country = country.country, true)
     WHERE withheld.until > :now
), poor AS MATERIALIZED (
    SELECT pool_id, country, service_id FROM pool_standing
     WHERE country = ANY (:countries::text[]) AND poor_until > :now
), on_sale AS (
    SELECT priced.country, priced.service_id, COALESCE(price.amount, priced.common) AS amount,
           shelf.available - COALESCE(shelf_used.used, 0) AS stock,
           (seller.id, priced.country, priced.service_id) IN (SELECT pool_id, country, service_id FROM poor) AS poor
      FROM seller
      JOIN shelf ON shelf.pool_id = seller.id AND shelf.country = ANY (:countries::text[]) AND shelf.available > 0
      JOIN priced ON priced.country = shelf.country
                 AND (seller.reserved_for IS NULL OR seller.reserved_for = priced.service_id)
      LEFT JOIN price ON priced.owners > 0 AND price.country = priced.country
                     AND price.service_id = priced.service_id AND price.pool_id = seller.id
      LEFT JOIN shelf_used ON shelf_used.country = priced.country AND shelf_used.pool_id = seller.id
                          AND shelf_used.service_id = priced.service_id
     WHERE seller.online AND COALESCE(price.amount, priced.common) IS NOT NULL
       AND shelf.available > COALESCE(shelf_used.used, 0)
       AND (seller.id, priced.country, priced.service_id) NOT IN (SELECT pool_id, country, service_id FROM unsold)
    UNION ALL
    SELECT priced.country, priced.service_id, COALESCE(price.amount, priced.common), remote_offer.stock,
           (seller.id, priced.country, priced.service_id) IN (SELECT pool_id, country, service_id FROM poor)
      FROM seller
      JOIN remote_offer ON remote_offer.pool_id = seller.id AND remote_offer.operator_name = ''
                       AND remote_offer.stock > 0
      JOIN priced ON priced.country = remote_offer.country AND priced.service_id = remote_offer.service_id
                 AND (seller.reserved_for IS NULL OR seller.reserved_for = priced.service_id)
      LEFT JOIN price ON priced.owners > 0 AND price.country = priced.country
                     AND price.service_id = priced.service_id AND price.pool_id = seller.id
     WHERE seller.online
       AND (seller.id, priced.country, priced.service_id) NOT IN (SELECT pool_id, country, service_id FROM unsold)
       AND COALESCE(remote_offer.price, 0)
           <= COALESCE(price.amount, priced.common) * seller.share_basis_points / 10000
), stocked AS (
    SELECT country, service_id, COALESCE(min(amount) FILTER (WHERE NOT poor), min(amount)) AS amount,
           sum(stock) AS stock
      FROM on_sale
     GROUP BY country, service_id
)
SELECT priced.country, priced.service_id,
       COALESCE(stocked.amount, LEAST(priced.own, CASE WHEN priced.owners < priced.sellers THEN priced.common END))
       AS amount,
       COALESCE(stocked.stock, 0)::bigint AS stock
  FROM priced
  LEFT JOIN stocked ON stocked.country = priced.country AND stocked.service_id = priced.service_id
 WHERE priced.own IS NOT NULL OR (priced.common IS NOT NULL AND priced.owners < priced.sellers)
 ORDER BY priced.country, priced.service_id;
