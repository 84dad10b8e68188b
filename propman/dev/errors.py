"""The one error that `propman.dev` lets out."""


class ServersUnavailable(Exception):
    """The servers cannot be had; the message is one line that says what to do about it."""
