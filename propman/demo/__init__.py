"""`propman demo`: a month of rent billed before your eyes, on private servers."""

from propman.demo.command import app

__all__ = ["app"]
