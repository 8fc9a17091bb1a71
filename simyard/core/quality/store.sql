-- name: note
INSERT INTO quality_event (activation_id, kind)
SELECT * FROM unnest(:activation_ids::bigint[], :kinds::text[]);

-- name: try_lock
SELECT pg_try_advisory_xact_lock(hashtextextended('simyard/quality', 0));

-- name: count
-- Counts what is in the queue, and tells what it was about. One at a time: the caller holds the lock. A failed order whose
-- pool would not serve our account left no remote lease, and is no failure of the pool.
WITH taken AS (
    DELETE FROM quality_event
     WHERE id IN (SELECT id FROM quality_event ORDER BY id LIMIT :limit)
    RETURNING activation_id, kind
), fact AS (
    SELECT activation.pool_id, activation.country, activation.service_id,
           (activation.ordered_at AT TIME ZONE 'UTC')::date AS day, taken.kind,
           taken.kind = 'closed' AND activation.state = 'failed'
               AND EXISTS (SELECT FROM remote_lease WHERE remote_lease.lease_id = activation.id) AS failed,
           taken.kind = 'closed' AND activation.state <> 'failed' AS issued,
           taken.kind = 'closed' AND activation.messages > 0 AS delivered, activation.state,
           GREATEST(extract(epoch FROM activation.received_at - activation.ordered_at), 0)::double precision AS seconds
      FROM taken JOIN activation ON activation.id = taken.activation_id
), span AS (
    SELECT pool_id, country, service_id, day,
           array_agg(count ORDER BY place) AS spans
      FROM (SELECT fact.pool_id, fact.country, fact.service_id, fact.day, place,
                   count(*) FILTER (WHERE fact.delivered
                                      AND width_bucket(fact.seconds, :ends::double precision[]) = place) AS count
              FROM fact CROSS JOIN generate_series(0, cardinality(:ends::double precision[])) AS place
             GROUP BY 1, 2, 3, 4, 5) AS one
     GROUP BY 1, 2, 3, 4
), sum AS (
    SELECT pool_id, country, service_id, day, count(*) FILTER (WHERE issued) AS issued,
           count(*) FILTER (WHERE delivered) AS delivered,
           count(*) FILTER (WHERE issued AND state = 'canceled') AS canceled,
           count(*) FILTER (WHERE issued AND state = 'expired') AS expired,
           count(*) FILTER (WHERE failed) AS failed, count(*) FILTER (WHERE kind = 'prohibited') AS prohibited,
           count(*) FILTER (WHERE kind = 'other_service') AS other_service,
           count(*) FILTER (WHERE kind = 'unrecognised') AS unrecognised,
           count(*) FILTER (WHERE kind = 'blacklisted') AS blacklisted,
           COALESCE(sum(seconds) FILTER (WHERE delivered), 0)::bigint AS seconds
      FROM fact GROUP BY 1, 2, 3, 4
), counted AS (
    INSERT INTO quality (pool_id, country, service_id, day, issued, delivered, canceled, expired, failed, prohibited,
                         other_service, unrecognised, blacklisted, seconds, spans)
    SELECT pool_id, country, service_id, day, issued, delivered, canceled, expired, failed, prohibited,
           other_service, unrecognised, blacklisted, seconds, spans
      FROM sum JOIN span USING (pool_id, country, service_id, day)
    ON CONFLICT (pool_id, country, service_id, day) DO UPDATE SET
        issued = quality.issued + excluded.issued, delivered = quality.delivered + excluded.delivered,
        canceled = quality.canceled + excluded.canceled, expired = quality.expired + excluded.expired,
        failed = quality.failed + excluded.failed, prohibited = quality.prohibited + excluded.prohibited,
        other_service = quality.other_service + excluded.other_service,
        unrecognised = quality.unrecognised + excluded.unrecognised,
        blacklisted = quality.blacklisted + excluded.blacklisted, seconds = quality.seconds + excluded.seconds,
        spans = (SELECT array_agg(one.before + one.more ORDER BY one.place)
                   FROM unnest(quality.spans, excluded.spans) WITH ORDINALITY AS one (before, more, place))
)
SELECT (SELECT count(*) FROM taken) AS events, pool_id, country, service_id, bool_or(failed) AS failed
  FROM fact GROUP BY pool_id, country, service_id;

-- name: recent
-- How pools did lately for a service in a country: orders closed since a day, and those they were asked for a number for
-- since a moment (sources that must be asked one by one), without wishes that left prefixes out.
SELECT want.pool_id, want.country, want.service_id, COALESCE(asked.asked, 0) AS asked, COALESCE(asked.failed, 0) AS failed,
       COALESCE(closed.issued, 0)::bigint AS issued, COALESCE(closed.delivered, 0)::bigint AS delivered
  FROM unnest(:pool_ids::bigint[], :countries::text[], :service_ids::smallint[]) AS want (pool_id, country, service_id)
  LEFT JOIN LATERAL (
       SELECT sum(quality.issued) AS issued, sum(quality.delivered) AS delivered FROM quality
        WHERE quality.pool_id = want.pool_id AND quality.country = want.country
          AND quality.service_id = want.service_id AND quality.day >= :day) AS closed ON true
  LEFT JOIN (
       SELECT activation.pool_id, activation.country, activation.service_id, count(*) AS asked,
              count(*) FILTER (WHERE activation.state = 'failed') AS failed
         FROM remote_lease JOIN activation ON activation.id = remote_lease.lease_id
        WHERE remote_lease.pool_id = ANY (:failing::bigint[]) AND remote_lease.asked_at > :since
          AND activation.state <> 'acquiring' AND NOT remote_lease.choosy
        GROUP BY 1, 2, 3) AS asked
    ON asked.pool_id = want.pool_id AND asked.country = want.country AND asked.service_id = want.service_id;

-- name: block
-- Only what is not blocked already.
INSERT INTO pool_standing (pool_id, country, service_id, blocked_until)
VALUES (:pool_id, :country, :service_id, :until)
ON CONFLICT (pool_id, country, service_id) DO UPDATE SET blocked_until = excluded.blocked_until
 WHERE pool_standing.blocked_until <= :now
RETURNING pool_id;

-- name: unblock
UPDATE pool_standing SET blocked_until = '-infinity', poor_until = '-infinity'
 WHERE pool_id = :pool_id AND (blocked_until > :now OR poor_until > :now);

-- name: set_poor
INSERT INTO pool_standing (pool_id, country, service_id, poor_until)
SELECT pool_id, country, service_id, :until
  FROM unnest(:pool_ids::bigint[], :countries::text[], :service_ids::smallint[]) AS given (pool_id, country, service_id)
ON CONFLICT (pool_id, country, service_id) DO UPDATE SET poor_until = excluded.poor_until;

-- name: report
SELECT quality.pool_id, pool.name, quality.country, quality.service_id, sum(quality.issued)::bigint AS issued,
       sum(quality.delivered)::bigint AS delivered, sum(quality.canceled)::bigint AS canceled,
       sum(quality.expired)::bigint AS expired, sum(quality.failed)::bigint AS failed,
       sum(quality.prohibited)::bigint AS prohibited, sum(quality.other_service)::bigint AS other_service,
       sum(quality.unrecognised)::bigint AS unrecognised, sum(quality.blacklisted)::bigint AS blacklisted,
       sum(quality.seconds)::bigint AS seconds,
       (SELECT array_agg(place.count ORDER BY place.place)
          FROM (SELECT one.place, sum(one.count)::bigint AS count
                  FROM quality AS same CROSS JOIN unnest(same.spans) WITH ORDINALITY AS one (count, place)
                 WHERE same.pool_id = quality.pool_id AND same.country = quality.country
                   AND same.service_id = quality.service_id AND same.day >= :since
                 GROUP BY one.place) AS place) AS spans,
       NULLIF(GREATEST(standing.blocked_until, :now), :now) AS blocked_until,
       NULLIF(GREATEST(standing.poor_until, :now), :now) AS poor_until
  FROM quality JOIN pool ON pool.id = quality.pool_id
  LEFT JOIN pool_standing AS standing
    ON standing.pool_id = quality.pool_id AND standing.country = quality.country
   AND standing.service_id = quality.service_id
 WHERE quality.day >= :since AND (:pool_id::bigint IS NULL OR quality.pool_id = :pool_id)
   AND (:supplier_id::bigint IS NULL OR pool.supplier_id = :supplier_id)
 GROUP BY quality.pool_id, pool.name, quality.country, quality.service_id, standing.blocked_until, standing.poor_until
 ORDER BY quality.pool_id, quality.country, quality.service_id LIMIT :limit;
