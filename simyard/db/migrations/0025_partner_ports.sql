-- How many numbers of a pool are asked for, held or not given back yet: some have so many ports and no more.
DROP INDEX remote_lease_held;
CREATE INDEX remote_lease_of_pool ON remote_lease (pool_id) WHERE state IN ('asking', 'held', 'finishing');
