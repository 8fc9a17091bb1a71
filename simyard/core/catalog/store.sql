-- name: upsert_countries
INSERT INTO country (iso2, name, calling_code)
SELECT * FROM unnest(:iso2::text[], :names::text[], :calling_codes::integer[])
ON CONFLICT (iso2) DO UPDATE SET name = excluded.name, calling_code = excluded.calling_code
 WHERE (country.name, country.calling_code) IS DISTINCT FROM (excluded.name, excluded.calling_code);

-- name: upsert_operators
INSERT INTO mobile_operator (id, plmn, country, name)
SELECT * FROM unnest(:ids::integer[], :plmns::text[], :countries::text[], :names::text[])
ON CONFLICT (id) DO UPDATE SET plmn = excluded.plmn, country = excluded.country, name = excluded.name
 WHERE (mobile_operator.plmn, mobile_operator.country, mobile_operator.name)
       IS DISTINCT FROM (excluded.plmn, excluded.country, excluded.name);

-- name: upsert_services
INSERT INTO service (id, slug, name, category, prohibited)
SELECT * FROM unnest(:ids::smallint[], :slugs::text[], :names::text[], :categories::text[], :prohibited::boolean[])
ON CONFLICT (id) DO UPDATE SET slug = excluded.slug, name = excluded.name, category = excluded.category,
                               prohibited = excluded.prohibited
 WHERE (service.slug, service.name, service.category, service.prohibited)
       IS DISTINCT FROM (excluded.slug, excluded.name, excluded.category, excluded.prohibited);

-- name: insert_permission
INSERT INTO service_permission (account_id, service_id, proof, granted_at)
VALUES (:account_id, :service_id, :proof, :now)
ON CONFLICT (account_id, service_id) DO UPDATE SET proof = excluded.proof, granted_at = excluded.granted_at;

-- name: delete_permission
DELETE FROM service_permission WHERE account_id = :account_id AND service_id = :service_id;

-- name: permissions
SELECT account_id, service_id FROM service_permission
 WHERE account_id = ANY (:account_ids::bigint[]);

-- name: delete_permissions
DELETE FROM service_permission WHERE account_id = :account_id;
