"""The catalog: services, countries and mobile networks, as data and as lookups."""
