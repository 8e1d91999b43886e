"""A text while it is written."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Iterator

from . import _headway

if TYPE_CHECKING:
    from .engine import Engine
    from .sequence import Sequence


@dataclasses.dataclass(frozen=True)
class Certificate:
    """Why a token of a certified head is the full head's (docs/certified_head.md)."""

    token: int
    fallback: bool  # the full head ran: nothing to certify
    audited: bool  # the full head ran as well and gave the same token
    deterministic: bool  # holds always; else with failure probability delta
    delta: float
    assumption: str  # what the device's sums must be for that
    theta: float  # no row outside those evaluated exactly can have reached this value
    value: float  # the winner's logit
    rows_screened: int  # bounded by one bit a weight
    rows_refined: int  # by two
    rows_three_bits: int
    rows_exact: int  # computed in the full head's arithmetic
    bytes_read: int

    @property
    def margin(self) -> float:
        """How far the winner stands above what no other row can have reached."""
        return self.value - self.theta


@dataclasses.dataclass(frozen=True)
class Token:
    """One token, and the whole characters that became certain with it."""

    id: int
    text: str
    logit: float
    logprob: float | None  # where asked for
    certificate: Certificate | None  # with a certified head


class Generation(Iterator[Token]):
    """Writes a text token by token: iterate over it, or :meth:`read` it to its end.

    ``text`` and ``ids`` hold what is there so far. ``finish_reason`` is None while it goes on, then "stop" (an end
    token, a stop string, a grammar's end) or "length". Nothing runs between two tokens; Ctrl-C ends the call for the
    next one, which may then be asked for again.
    """

    def __init__(self, engine: Engine, sequence: Sequence, *, max_new_tokens: int, stop: list[str], ignore_end: bool,
                 logprobs: bool, at_start: bool) -> None:
        self.text = ""
        self.ids: list[int] = []
        self.tokens: list[Token] = []
        self.finish_reason: str | None = None
        self._engine = engine
        self._sequence = sequence
        self._stream = _headway.Stream(engine._native, at_start, stop)
        self._left = max_new_tokens
        self._ignore_end = ignore_end
        self._logprobs = logprobs
        self._ready: list[Token] = []
        self._new_ids = 0
        self._check_end()

    def read(self) -> Generation:
        """Goes on to the end; returns itself."""
        for _ in self:
            pass
        return self

    @property
    def sequence(self) -> Sequence:
        """The conversation, for further steps."""
        return self._sequence

    @property
    def counters(self) -> dict[str, int]:
        """What it took so far (docs/counters.md)."""
        return self._sequence.counters

    def __iter__(self) -> Generation:
        return self

    def __next__(self) -> Token:
        while not self._ready:
            if self.finish_reason is not None:
                raise StopIteration
            self._engine.step([self._sequence])
            self._take()
        token = self._ready.pop(0)
        self.text += token.text
        self.ids.append(token.id)
        self.tokens.append(token)
        return token

    def _take(self) -> None:
        """Takes what a step chose for the sequence."""
        certificates: list[Certificate | None] = list(self._sequence.certificates())
        for index, (token, logit, logprob) in enumerate(self._sequence.choices()):
            is_end = not self._ignore_end and self._engine._native.is_end(token)
            text = "" if is_end else self._stream.push(token)
            self._new_ids += 1
            if is_end or self._stream.stopped():
                self.finish_reason = "stop"
            elif self._new_ids >= self._left:
                self.finish_reason = "length"
            if self.finish_reason is not None:
                text += self._stream.finish()
            self._ready.append(Token(token, text, logit, logprob if self._logprobs else None,
                                     certificates[index] if certificates else None))
            if self.finish_reason is not None:
                return
        self._check_end()

    def _check_end(self) -> None:
        """Whether no further token can come."""
        state: dict[str, Any] = self._sequence.state
        if state["is_over"]:
            self.finish_reason = "stop"
        elif self._new_ids >= self._left or state["num_tokens"] >= state["capacity_tokens"]:
            self.finish_reason = "length"
        if self.finish_reason is not None and self._ready:
            last = self._ready.pop()
            self._ready.append(dataclasses.replace(last, text=last.text + self._stream.finish()))
