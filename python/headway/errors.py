"""What goes wrong, as exceptions: each says what was expected, what was found and where."""

from __future__ import annotations

from . import _headway


class HeadwayError(RuntimeError):
    """An error of the library. ``status`` is the number of headway/headway.h."""

    status: int = -1


class InvalidInput(HeadwayError, ValueError):
    """A request or a file that makes no sense."""


class NotFound(HeadwayError, FileNotFoundError):
    """A file that is not there."""

    def __str__(self) -> str:  # OSError would show its arguments
        return str(self.args[0])


class Unsupported(HeadwayError, NotImplementedError):
    """Valid, but nothing that this version or this model can do."""


class Cancelled(HeadwayError):
    """Stopped by ``Sequence.cancel()``."""


_CLASSES = {_headway.INVALID_INPUT: InvalidInput, _headway.NOT_FOUND: NotFound, _headway.UNSUPPORTED: Unsupported,
            _headway.CANCELLED: Cancelled}


def error_of(status: int, text: bytes) -> Exception:
    """The exception of a status of the C API."""
    message = text.decode("utf-8", "replace")
    if status == _headway.OUT_OF_MEMORY:
        return MemoryError(message)
    error = _CLASSES.get(status, HeadwayError)(message)
    error.status = status
    return error
