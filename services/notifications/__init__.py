"""Telling people: e-mails and in-app messages, each sent once and its state kept."""
