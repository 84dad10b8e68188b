"""Rewards: grants tenants something for paying on time or ahead, takes it back when that was not so."""
