-- name: compare
-- What a report would change: numbers that are new or reported differently and, of a complete list, those it no longer
-- names. Takes no locks, so a repeated report takes none. Another pool's number stays his unless he took it off his list,
-- and if it is public even then.
WITH reported AS (
    SELECT * FROM unnest(:msisdns::text[], :countries::text[], :operator_ids::integer[], :ports::text[],
                         :placed_at::timestamptz[], :rents::boolean[])
             AS reported (msisdn, country, operator_id, port, placed_at, rent)
)
SELECT number.id, reported.msisdn, false AS missing FROM reported
  LEFT JOIN number ON number.msisdn = reported.msisdn
 WHERE number.id IS NULL
    OR (number.pool_id = :pool_id
         OR (NOT number.listed AND number.lease_id IS NULL AND number.published_at IS NULL))
   AND (number.pool_id, number.listed, number.country, number.operator_id, number.port, number.placed_at, number.rent)
       IS DISTINCT FROM
       (:pool_id, true, reported.country, reported.operator_id, reported.port, reported.placed_at, reported.rent)
UNION ALL
SELECT number.id, number.msisdn, true FROM number
 WHERE :complete AND number.pool_id = :pool_id AND number.listed
   AND NOT EXISTS (SELECT FROM reported WHERE reported.msisdn = number.msisdn);

-- name: unlist_numbers
UPDATE number SET listed = false
 WHERE number.id = ANY (:number_ids::bigint[]) AND number.pool_id = :pool_id AND number.listed
RETURNING number.id;

-- name: list_reported
-- Adds new numbers and changes known ones, which the caller has locked; new ones in the order of their digits, so that
-- two suppliers who report the same wait for each other in one order.
INSERT INTO number (msisdn, pool_id, country, operator_id, port, placed_at, rent, listed, position)
SELECT msisdn, :pool_id, country, operator_id, port, placed_at, rent, true, pg_current_xact_id()::text::bigint
  FROM unnest(:msisdns::text[], :countries::text[], :operator_ids::integer[], :ports::text[],
              :placed_at::timestamptz[], :rents::boolean[])
       AS reported (msisdn, country, operator_id, port, placed_at, rent)
 ORDER BY msisdn
ON CONFLICT (msisdn) DO UPDATE SET
    pool_id = excluded.pool_id, country = excluded.country, operator_id = excluded.operator_id,
    port = excluded.port, placed_at = excluded.placed_at, rent = excluded.rent, listed = true,
    position = CASE WHEN number.available AND (number.pool_id, number.country, number.operator_id)
                         IS NOT DISTINCT FROM (excluded.pool_id, excluded.country, excluded.operator_id)
                    THEN number.position ELSE excluded.position END
 WHERE number.pool_id = excluded.pool_id
    OR (NOT number.listed AND number.lease_id IS NULL AND number.published_at IS NULL)
RETURNING id;

-- name: unlist
-- One number of a pool, by its number; where the pool has none such, by its id.
UPDATE number SET listed = false
 WHERE number.pool_id = :pool_id AND number.listed
   AND number.id = COALESCE((SELECT named.id FROM number AS named
                              WHERE named.pool_id = :pool_id AND named.msisdn = :msisdn), :number_id)
RETURNING number.id;

-- name: set_blocked
-- A number that is let go queues up behind all others.
UPDATE number SET blocked = :blocked, position = pg_current_xact_id()::text::bigint
 WHERE number.id = :number_id AND number.blocked <> :blocked
RETURNING number.id;

-- name: ids_of
SELECT number.msisdn, number.id, number.pool_id FROM unnest(:msisdns::text[]) AS reported (msisdn)
  JOIN number ON number.msisdn = reported.msisdn;

-- name: listing_of
-- What is known of numbers, for those that are to be listed again as they were.
SELECT msisdn, id, pool_id, listed, country, operator_id, placed_at, rent FROM number
 WHERE msisdn = ANY (:msisdns::text[]);

-- name: note_changes
-- Tells the stock count which numbers to look at again.
INSERT INTO stock_change (number_id) SELECT * FROM unnest(:number_ids::bigint[]);

-- name: wake_stock
-- Tells whoever counts stock that a supplier changed his list. Not for claims: a NOTIFY makes commits queue up.
SELECT pg_notify('simyard_due', 'stock');

-- name: plan_once
-- Until the transaction ends, statements run by the one plan that fits all values.
SET LOCAL plan_cache_mode = force_generic_plan;

-- name: claim
-- Leases numbers for a batch of wants. Each want walks along its shelf from where its service has got to, past numbers that
-- served it, until it has found enough and some to spare, or has walked so far; it takes the first it can lock, and moves
-- the service's cursor past what it need not look at again.
-- Rows other transactions hold are skipped, not waited for. Cursors move only over numbers whose place in the queue
-- was given by a transaction that is over, so that none can appear behind them (docs/decisions/0003).
WITH want AS (
    SELECT want.*, GREATEST(want.after_position, COALESCE(claim_cursor.position, 0)) AS from_position,
           CASE WHEN want.after_position > COALESCE(claim_cursor.position, 0) THEN want.after_id
                WHEN want.after_position = claim_cursor.position THEN GREATEST(want.after_id, claim_cursor.number_id)
                ELSE COALESCE(claim_cursor.number_id, 0) END AS from_id,
           want.ahead + want.count + :spare::integer AS found_max
      FROM (SELECT given.*, COALESCE(sum(given.count) OVER before, 0)::integer AS ahead
              FROM unnest(:ordinals::integer[], :pool_ids::bigint[], :countries::text[],
                          :operator_ids::integer[], :service_ids::smallint[], :excluded::text[], :repeatable::boolean[],
                          :counts::integer[], :after_positions::bigint[], :after_ids::bigint[])
                   AS given (ordinal, pool_id, country, operator_id, service_id, excluded, repeatable, count,
                             after_position, after_id)
            WINDOW before AS (PARTITION BY given.pool_id, given.country ORDER BY given.ordinal
                              ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) AS want
      LEFT JOIN claim_cursor ON claim_cursor.pool_id = want.pool_id AND claim_cursor.country = want.country
                            AND claim_cursor.operator_id = want.operator_id
                            AND claim_cursor.service_id = want.service_id
                            AND NOT want.repeatable
), candidate AS MATERIALIZED (
    -- What each want found, and the last number it came to, used or not.
    SELECT want.ordinal, found.*
      FROM want CROSS JOIN LATERAL (
           SELECT walked.* FROM (
                  SELECT shelf.id, shelf.position, row_number() OVER queue AS rank,
                         lead(shelf.id) OVER queue IS NULL AS last,
                         NOT want.repeatable AND EXISTS (
                             SELECT FROM activation
                              WHERE activation.number_id = shelf.id AND activation.service_id = want.service_id
                                AND NOT activation.repeatable
                             -- Keeps the planner from reading every activation into a hash to look at a few numbers.
                             OFFSET 0) AS used,
                         want.excluded <> '' AND EXISTS (
                             SELECT FROM unnest(string_to_array(want.excluded, ',')) AS prefix
                              WHERE starts_with(shelf.msisdn, prefix)) AS excluded
                    FROM ((SELECT number.id, number.position, number.msisdn FROM number
                            WHERE want.operator_id = 0
                              AND number.pool_id = want.pool_id AND number.country = want.country AND number.available
                              AND (number.position, number.id) > (want.from_position, want.from_id)
                            ORDER BY number.position, number.id LIMIT :window)
                          UNION ALL
                          (SELECT number.id, number.position, number.msisdn FROM number
                            WHERE want.operator_id <> 0
                              AND number.pool_id = want.pool_id AND number.operator_id = want.operator_id
                              AND number.available
                              AND (number.position, number.id) > (want.from_position, want.from_id)
                            ORDER BY number.position, number.id LIMIT :window)) AS shelf
                  WINDOW queue AS (ORDER BY shelf.position, shelf.id)) AS walked
            WHERE NOT walked.used OR walked.last
            ORDER BY walked.position, walked.id LIMIT want.found_max
         ) AS found
), locked AS MATERIALIZED (
    -- Wants of one shelf have found much the same numbers: each leaves the first to those ahead of it while it has others.
    SELECT want.ordinal, hit.id
      FROM want CROSS JOIN LATERAL (
           SELECT held.id
             FROM (SELECT candidate.id FROM candidate
                    WHERE candidate.ordinal = want.ordinal AND NOT candidate.used AND NOT candidate.excluded
                    ORDER BY row_number() OVER (ORDER BY candidate.rank) <= want.ahead, candidate.rank) AS free
            CROSS JOIN LATERAL (SELECT number.id FROM number
                                 WHERE number.id = free.id AND number.available AND number.pool_id = want.pool_id
                                   FOR NO KEY UPDATE SKIP LOCKED) AS held
            LIMIT want.count
         ) AS hit
), winner AS MATERIALIZED (
    SELECT DISTINCT ON (id) id, ordinal FROM locked ORDER BY id, ordinal
), claimed AS (
    UPDATE number SET lease_id = nextval('lease_id') WHERE number.id = ANY (ARRAY(SELECT winner.id FROM winner))
    RETURNING number.id, number.lease_id, number.msisdn
), seen AS (
    -- Somebody holds an obstacle, or it was excluded: it is still to be had for its service.
    SELECT candidate.*, NOT candidate.used AND winner.id IS NULL AS obstacle
      FROM candidate LEFT JOIN winner ON winner.id = candidate.id AND winner.ordinal = candidate.ordinal
), passed AS (
    -- How far cursors may move: up to the first obstacle, else to the last number.
    SELECT DISTINCT ON (seen.ordinal) seen.ordinal, seen.position, seen.id - seen.obstacle::integer AS id,
           seen.rank - seen.obstacle::integer AS count
      FROM seen
     ORDER BY seen.ordinal, seen.obstacle DESC, CASE WHEN seen.obstacle THEN seen.rank ELSE -seen.rank END
), step AS (
    SELECT passed.ordinal, LEAST(passed.position, over.position) AS position,
           CASE WHEN passed.position <= over.position THEN passed.id ELSE 9223372036854775807 END AS id
      FROM passed
     CROSS JOIN (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1 AS position) AS over
     WHERE passed.count >= :cursor_step
), moved AS (
    -- Whoever is moving the same cursor now does it for both: nobody waits for a cursor. Of two wants that share one
    -- (they exclude different prefixes) the farther holds.
    INSERT INTO claim_cursor (pool_id, country, operator_id, service_id, position, number_id)
    SELECT DISTINCT ON (want.pool_id, want.country, want.operator_id, want.service_id)
           want.pool_id, want.country, want.operator_id, want.service_id, step.position, step.id
      FROM step JOIN want USING (ordinal)
     WHERE NOT want.repeatable
       AND pg_try_advisory_xact_lock(hashtextextended(
               concat_ws('/', 'cursor', want.pool_id, want.country, want.operator_id, want.service_id), 0))
     ORDER BY want.pool_id, want.country, want.operator_id, want.service_id, step.position DESC, step.id DESC
    ON CONFLICT (pool_id, country, operator_id, service_id) DO UPDATE
       SET position = excluded.position, number_id = excluded.number_id
     WHERE (claim_cursor.position, claim_cursor.number_id) < (excluded.position, excluded.number_id)
)
SELECT want.ordinal, looked.position, looked.id,
       looked.count = want.found_max OR looked.rank = :window AS more,
       got.ids, got.lease_ids, got.msisdns
  FROM want
  LEFT JOIN LATERAL (SELECT count(*) OVER () AS count, candidate.position, candidate.id, candidate.rank FROM candidate
                      WHERE candidate.ordinal = want.ordinal
                      ORDER BY candidate.rank DESC LIMIT 1) AS looked ON true
  LEFT JOIN LATERAL (SELECT array_agg(claimed.id) AS ids, array_agg(claimed.lease_id) AS lease_ids,
                            array_agg(claimed.msisdn) AS msisdns
                       FROM claimed JOIN winner USING (id) WHERE winner.ordinal = want.ordinal) AS got ON true
 ORDER BY want.ordinal;

-- name: claim_for_rent
-- Leases the first free number of a pool that may be rented, is not banned from it, and that the account did not ban.
-- Numbers other transactions hold are passed over. It looks only so far along the shelf, so that excluding everything
-- costs no walk through it.
WITH candidate AS (
    SELECT number.id
      FROM (SELECT number.id, number.position FROM number
             WHERE number.pool_id = :pool_id AND number.country = :country AND number.available AND number.rent
               AND number.rent_banned_until IS NULL
             ORDER BY number.position, number.id LIMIT :window) AS shelf
      JOIN number ON number.id = shelf.id
     WHERE number.pool_id = :pool_id AND number.available AND number.rent AND number.rent_banned_until IS NULL
       AND NOT EXISTS (SELECT FROM unnest(:excluded::text[]) AS prefix WHERE starts_with(number.msisdn, prefix))
       AND NOT EXISTS (SELECT FROM number_ban
                        WHERE number_ban.account_id = :account_id AND number_ban.number_id = number.id)
     ORDER BY shelf.position, shelf.id LIMIT 1 FOR NO KEY UPDATE OF number SKIP LOCKED
)
UPDATE number SET lease_id = nextval('lease_id') FROM candidate WHERE number.id = candidate.id
RETURNING number.id, number.lease_id, number.msisdn;

-- name: is_banned_by
SELECT EXISTS (SELECT FROM number_ban WHERE account_id = :account_id AND number_id = :number_id);

-- name: add_rent_strikes
-- The last strike there may be is a ban, and the count starts anew.
UPDATE number
   SET rent_strikes = CASE WHEN number.rent_strikes + 1 < :strikes_max THEN number.rent_strikes + 1 ELSE 0 END,
       rent_banned_until = CASE WHEN number.rent_strikes + 1 < :strikes_max THEN number.rent_banned_until
                                ELSE :banned_until END
  FROM pool
 WHERE number.id = ANY (:number_ids::bigint[]) AND pool.id = number.pool_id AND pool.kind <> 'sandbox'
RETURNING number.id, number.rent_strikes = 0 AS banned;

-- name: clear_rent_strikes
UPDATE number SET rent_strikes = 0 WHERE id = ANY (:number_ids::bigint[]) AND rent_strikes > 0;

-- name: banned_for_rent
SELECT rent_banned_until IS NOT NULL FROM number WHERE id = :number_id;

-- name: lift_rent_bans
-- The number keeps its place in the queue: it was available all the time.
UPDATE number SET rent_banned_until = NULL
 WHERE id IN (SELECT id FROM number WHERE rent_banned_until <= :now
               ORDER BY rent_banned_until LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED)
RETURNING id;

-- name: rent_bans
SELECT msisdn, pool_id, rent_banned_until FROM number WHERE rent_banned_until IS NOT NULL
 ORDER BY rent_banned_until, id LIMIT :limit;

-- name: take_remote
-- Leases a number a remote pool just reserved, and locks it. None when it is somebody's: another pool lists it, it is
-- leased, public or blocked.
INSERT INTO number (msisdn, pool_id, country, operator_id, port, placed_at, rent, listed, lease_id, position)
VALUES (:msisdn, :pool_id, :country, :operator_id, :msisdn, NULL, false, false, :lease_id,
        pg_current_xact_id()::text::bigint)
ON CONFLICT (msisdn) DO UPDATE SET
    pool_id = excluded.pool_id, country = excluded.country, operator_id = excluded.operator_id,
    port = excluded.port, placed_at = NULL, rent = false, lease_id = excluded.lease_id
 WHERE number.lease_id IS NULL AND NOT number.listed AND NOT number.blocked AND number.published_at IS NULL
RETURNING id;

-- name: claim_for_check
-- Leases one number that is on a list and neither leased nor public; blocked ones too.
UPDATE number SET lease_id = nextval('lease_id')
 WHERE msisdn = :msisdn AND listed AND lease_id IS NULL AND published_at IS NULL
RETURNING id, pool_id, lease_id;

-- name: is_listed
SELECT EXISTS (SELECT FROM number WHERE msisdn = :msisdn AND listed);

-- name: note_proof
UPDATE number SET proved_at = :now, proved_for = :pool_id WHERE id = :number_id;

-- name: lock_numbers
SELECT id FROM number WHERE id = ANY (:number_ids::bigint[]) ORDER BY id FOR NO KEY UPDATE;

-- name: release
-- Ends the numbers' leases and puts them at the end of the queue.
UPDATE number SET last_lease_id = lease_id, lease_id = NULL, position = pg_current_xact_id()::text::bigint
 WHERE id = ANY (:number_ids::bigint[]);

-- name: resolve
-- A supplier's numbers by what he calls them: the number, or our id of it; with what their pools say of messages.
SELECT given.ordinal, number.id, number.pool_id, number.published_at IS NOT NULL AS public,
       number.filter_side = 'partner' AS filters_itself,
       ARRAY(SELECT pool_blacklist.service_id FROM pool_blacklist
              WHERE pool_blacklist.pool_id = number.pool_id) AS blacklist
  FROM unnest(:supplier_ids::bigint[], :msisdns::text[], :number_ids::bigint[])
       WITH ORDINALITY AS given (supplier_id, msisdn, number_id, ordinal)
  JOIN LATERAL (
       SELECT number.id, number.pool_id, number.published_at, pool.filter_side
         FROM number JOIN pool ON pool.id = number.pool_id
        WHERE pool.supplier_id IS NOT DISTINCT FROM given.supplier_id AND number.msisdn = given.msisdn
       UNION ALL
       SELECT number.id, number.pool_id, number.published_at, pool.filter_side
         FROM number JOIN pool ON pool.id = number.pool_id
        WHERE pool.supplier_id IS NOT DISTINCT FROM given.supplier_id AND number.id = given.number_id
        LIMIT 1
     ) AS number ON true
 ORDER BY given.ordinal;

-- name: take_stock
-- Counts numbers whose availability changed into the shelves' stock, and takes what was counted of them before out.
-- One at a time: the caller holds the stock lock.
WITH taken AS (
    DELETE FROM stock_change
     WHERE id IN (SELECT id FROM stock_change ORDER BY id LIMIT :limit)
    RETURNING number_id
), changed AS (
    SELECT DISTINCT number_id AS id FROM taken
), before AS (
    SELECT stock_counted.* FROM stock_counted JOIN changed ON changed.id = stock_counted.number_id
), after AS (
    SELECT number.id AS number_id, number.pool_id, number.country,
           number.rent AND number.rent_banned_until IS NULL AS rent,
           COALESCE((SELECT max(activation.id) FROM activation WHERE activation.number_id = number.id), 0) AS through
      FROM number JOIN changed ON changed.id = number.id
     WHERE number.available
), shelf_change AS (
    SELECT pool_id, country, sum(amount) AS amount, COALESCE(sum(amount) FILTER (WHERE rent), 0) AS rentable
      FROM (SELECT pool_id, country, rent, -1 AS amount FROM before
            UNION ALL SELECT pool_id, country, rent, 1 FROM after) AS one
     GROUP BY pool_id, country HAVING sum(amount) <> 0 OR COALESCE(sum(amount) FILTER (WHERE rent), 0) <> 0
), used_change AS (
    SELECT one.pool_id, one.country, activation.service_id, sum(one.amount) AS amount
      FROM (SELECT number_id, pool_id, country, through, -1 AS amount FROM before
            UNION ALL SELECT number_id, pool_id, country, through, 1 FROM after) AS one
      JOIN activation ON activation.number_id = one.number_id AND activation.id <= one.through
                     AND NOT activation.repeatable
     GROUP BY one.pool_id, one.country, activation.service_id HAVING sum(one.amount) <> 0
), on_shelf AS (
    INSERT INTO shelf (pool_id, country, available, rentable)
    SELECT pool_id, country, amount, rentable FROM shelf_change
    ON CONFLICT (country, pool_id) DO UPDATE SET available = shelf.available + excluded.available,
                                                 rentable = shelf.rentable + excluded.rentable
), used_on_shelf AS (
    INSERT INTO shelf_used (pool_id, country, service_id, used)
    SELECT pool_id, country, service_id, amount FROM used_change
    ON CONFLICT (country, pool_id, service_id) DO UPDATE SET used = shelf_used.used + excluded.used
), counted AS (
    INSERT INTO stock_counted (number_id, pool_id, country, through, rent)
    SELECT number_id, pool_id, country, through, rent FROM after
    ON CONFLICT (number_id) DO UPDATE SET pool_id = excluded.pool_id, country = excluded.country,
                                          through = excluded.through, rent = excluded.rent
), uncounted AS (
    DELETE FROM stock_counted
     WHERE number_id IN (SELECT number_id FROM before EXCEPT SELECT number_id FROM after)
)
SELECT count(*) FROM taken;

-- name: shelved
SELECT pool_id, sum(available)::bigint AS available, sum(rentable)::bigint AS rentable
  FROM shelf WHERE pool_id = ANY (:pool_ids::bigint[]) GROUP BY pool_id;

-- name: try_stock_lock
SELECT pg_try_advisory_xact_lock(hashtextextended('simyard/stock', 0));

-- name: forget_foreign_cursors
-- Cursors that lie ahead of this server's transactions come from another one (a restored backup).
DELETE FROM claim_cursor WHERE position > pg_current_xact_id()::text::bigint;

-- name: lock_of_pools
-- All numbers of pools, whether on a list or not; how many are leased, those that are checked included.
WITH locked AS (
    SELECT id, lease_id FROM number WHERE pool_id = ANY (:pool_ids::bigint[]) ORDER BY id FOR NO KEY UPDATE
)
SELECT count(lease_id) FROM locked;

-- name: retire
-- Off their lists, with nothing left of what was reported of them but country and operator.
UPDATE number SET listed = false, port = msisdn, placed_at = NULL, rent = false
 WHERE pool_id = ANY (:pool_ids::bigint[])
   AND (listed, port, placed_at, rent) IS DISTINCT FROM (false, msisdn, NULL::timestamptz, false)
RETURNING id;
