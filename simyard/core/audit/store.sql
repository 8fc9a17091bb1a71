-- name: insert_audit
INSERT INTO audit (at, actor, action, facts) VALUES (:now, :actor, :action, :facts::jsonb);
