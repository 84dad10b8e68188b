"""Properties, units, tenants and the leases that bind them."""
