"""Why there is no answer. Library exceptions end here."""


class NoAnswer(Exception):
    """Not now: the provider, or the way to it, is not well. What is known stays as it is."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotCovered(Exception):
    """The provider says that it will never know this place."""


class Gone(Exception):
    """What was asked for is no longer there, such as a forecast grid that was remapped."""


class OurFault(Exception):
    """The provider refuses how we ask: a bug or a setting, which no retry mends."""
