-- name: admit
-- Looks up the keys of a batch of requests and takes what their accounts' budgets still give, in one statement, so
-- that several processes share one exact count. Reads accounts' tables beside its own: the answer must be of one moment.
WITH asked AS (
    SELECT * FROM unnest(:digests::bytea[], :scopes::text[], :addresses::text[], :verbs::text[], :quotas::integer[],
                         :windows::integer[])
             WITH ORDINALITY AS asked (digest, scope, address, verb, quota, window_seconds, ordinal)
), known AS (
    SELECT asked.ordinal, asked.verb, asked.quota, asked.window_seconds,
           account.id AS account_id, account.email, account.state, api_key.enabled, api_key.pool_id,
           asked.scope = ANY (api_key.scopes) AS in_scope,
           CASE WHEN cardinality(api_key.networks) = 0 THEN true
                WHEN asked.address = '' THEN false
                ELSE EXISTS (SELECT FROM unnest(api_key.networks) AS network WHERE asked.address::inet <<= network)
           END AS address_allowed
      FROM asked
      LEFT JOIN api_key ON api_key.digest = asked.digest
      LEFT JOIN account ON account.id = api_key.account_id
), spent AS (
    INSERT INTO budget (account_id, verb, ends_at, quota, used, granted)
    SELECT account_id, verb, :now::timestamptz + make_interval(secs => max(window_seconds)), max(quota),
           LEAST(count(*), max(quota)), LEAST(count(*), max(quota))
      FROM known
     WHERE quota IS NOT NULL AND enabled AND in_scope AND address_allowed AND state = 'active'
     GROUP BY account_id, verb
     ORDER BY account_id, verb
    ON CONFLICT (account_id, verb) DO UPDATE SET
        ends_at = CASE WHEN budget.ends_at <= :now THEN excluded.ends_at ELSE budget.ends_at END,
        quota = excluded.quota,
        granted = CASE WHEN budget.ends_at <= :now THEN excluded.granted
                       ELSE LEAST(excluded.granted, GREATEST(excluded.quota - budget.used, 0)) END,
        used = CASE WHEN budget.ends_at <= :now THEN excluded.used
                    ELSE LEAST(budget.used + excluded.granted, excluded.quota) END
    RETURNING account_id, verb, granted, ends_at
)
SELECT known.ordinal, known.account_id, known.email, known.state, known.enabled, known.pool_id, known.in_scope,
       known.address_allowed, known.verb, spent.granted, spent.ends_at
  FROM known LEFT JOIN spent ON spent.account_id = known.account_id AND spent.verb = known.verb
 ORDER BY known.ordinal;

-- name: admit_sessions
-- The same for requests with access tokens: the session each belongs to must be open still.
WITH asked AS (
    SELECT * FROM unnest(:session_ids::bigint[], :account_ids::bigint[], :verbs::text[], :quotas::integer[],
                         :windows::integer[])
             WITH ORDINALITY AS asked (session_id, account_id, verb, quota, window_seconds, ordinal)
), known AS (
    SELECT asked.ordinal, asked.verb, asked.quota, asked.window_seconds, asked.session_id,
           account.id AS account_id, account.email, account.state
      FROM asked
      LEFT JOIN session ON session.id = asked.session_id AND session.account_id = asked.account_id
                       AND session.ended_at IS NULL AND session.expires_at > :now
      LEFT JOIN account ON account.id = session.account_id
), spent AS (
    INSERT INTO budget (account_id, verb, ends_at, quota, used, granted)
    SELECT account_id, verb, :now::timestamptz + make_interval(secs => max(window_seconds)), max(quota),
           LEAST(count(*), max(quota)), LEAST(count(*), max(quota))
      FROM known
     WHERE quota IS NOT NULL AND state = 'active'
     GROUP BY account_id, verb
     ORDER BY account_id, verb
    ON CONFLICT (account_id, verb) DO UPDATE SET
        ends_at = CASE WHEN budget.ends_at <= :now THEN excluded.ends_at ELSE budget.ends_at END,
        quota = excluded.quota,
        granted = CASE WHEN budget.ends_at <= :now THEN excluded.granted
                       ELSE LEAST(excluded.granted, GREATEST(excluded.quota - budget.used, 0)) END,
        used = CASE WHEN budget.ends_at <= :now THEN excluded.used
                    ELSE LEAST(budget.used + excluded.granted, excluded.quota) END
    RETURNING account_id, verb, granted, ends_at
)
SELECT known.ordinal, known.session_id, known.account_id, known.email, known.state, known.verb, spent.granted,
       spent.ends_at
  FROM known LEFT JOIN spent ON spent.account_id = known.account_id AND spent.verb = known.verb
 ORDER BY known.ordinal;

-- name: forget_budgets
DELETE FROM budget WHERE ends_at < :before;
