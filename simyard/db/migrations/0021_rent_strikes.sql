-- A number that stays silent when it is rented is not rented out for a while: a renter pays for days and waits for nothing.

ALTER TABLE number
    -- Rentals in a row that got no first SMS in time. The third is a ban, and the count starts anew.
    ADD COLUMN rent_strikes smallint NOT NULL DEFAULT 0,
    -- Banned from rent, not from activations, while it is set; lifted at this moment.
    ADD COLUMN rent_banned_until timestamptz,
    ADD CONSTRAINT number_third_strike_is_a_ban CHECK (rent_strikes BETWEEN 0 AND 2);
CREATE INDEX number_rent_ban_due ON number (rent_banned_until) WHERE rent_banned_until IS NOT NULL;
