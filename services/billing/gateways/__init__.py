"""Billing's ways to the outside: who can charge a tenant's card or bank account."""
