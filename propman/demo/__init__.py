"""`propman demo`: months that go by and a month of rent billed before your eyes, on private servers."""
