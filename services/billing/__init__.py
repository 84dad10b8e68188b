"""Invoices, what is paid on them, and what is still owed."""
