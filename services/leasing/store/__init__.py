"""All SQL of leasing, a file per aggregate."""
