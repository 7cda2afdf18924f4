"""The two kinds of expected trouble, known to every package because all of them may import ``features``."""


class ScratchworkError(Exception):
    """A run cannot go on; the message says what was found, what was needed and what to do. Exit code 1."""


class UnreadablePicture(Exception):
    """One picture gives no pixels; the message becomes the row's ``issue`` and the run goes on."""
