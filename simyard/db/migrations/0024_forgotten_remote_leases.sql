-- What was asked of sources and is over is dropped after a while, but not what was sold: it must be found among all that stays.
CREATE INDEX remote_lease_over ON remote_lease (changed_at)
    WHERE state = 'done' AND problem IS NULL AND ending IS DISTINCT FROM 'sold';
