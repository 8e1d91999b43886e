"""One conversation: its tokens, and how it chooses further ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Mapping, Sequence as ListOf

import numpy as np

from . import _headway
from .generation import Certificate

if TYPE_CHECKING:
    from .engine import Engine

_FINISH = {"with_schema": _headway.FINISH_WITH_SCHEMA, "always": _headway.FINISH_ALWAYS,
           "never": _headway.FINISH_NEVER}
_KV = {"f16": _headway.KV_F16, "q8_0": _headway.KV_Q8_0}
_WHITESPACE = {"canonical": _headway.JSON_WHITESPACE_CANONICAL, "free": _headway.JSON_WHITESPACE_FREE}


def _number(words: Mapping[str, int], value: str, what: str) -> int:
    if value not in words:
        raise ValueError(f"{what}: expected one of {', '.join(words)}, found {value!r}")
    return words[value]


class Sequence:
    """Tokens, the keys and values that the model keeps of them, and rules for what comes next.

    Made by :meth:`Engine.sequence`. Every method may be called from any thread; those that compute wait for each other.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        min_p: float = 0.0,
        repetition_penalty: float = 1.0,
        repeat_last_n: int = 64,
        presence_penalty: float = 0.0,
        frequency_penalty: float = 0.0,
        seed: int = 0,
        logit_bias: Mapping[int, float] | None = None,
        allow_ids: ListOf[int] | None = None,
        grammar: str = "",
        json_schema: str = "",
        finish: str = "with_schema",
        json_whitespace: str = "canonical",
        logprobs: bool = False,
        speculate: bool = False,
        most_drafts: int = 7,
        min_ngram: int = 2,
        max_ngram: int = 4,
        adapt: bool = True,
        probe_lookup: bool = False,
        certificate: str = "",
        audit_every: int = 0,
        kv: str = "f16",
        max_length: int = 0,
    ) -> None:
        """
        :param temperature: 0 is greedy: the most likely token, always.
        :param top_k: how many of the best tokens may be drawn; 0: all.
        :param top_p: the smallest number of tokens that together are that likely; 1: off.
        :param min_p: tokens at least this likely, relative to the best one; 0: off.
        :param repetition_penalty: of tokens among the last ``repeat_last_n`` (-1: all); 1: off.
        :param seed: the same seed, prompt and parameters give the same tokens, whatever else runs.
        :param logit_bias: what is added to the logits of ids; ``-inf`` bans one.
        :param allow_ids: the only ids that may come; None: all.
        :param grammar: in GBNF, or ``json_schema`` as JSON: what the new text must be.
        :param finish: as ``max_length`` comes near, a grammar's text ends by the shortest way that it allows, so that
            it is complete: "with_schema", "always" or "never".
        :param json_whitespace: of a schema's text: "canonical", or "free" where the model likes it.
        :param logprobs: tokens come with their log-probability.
        :param speculate: guess ahead from what the text repeats: the same tokens, in fewer steps.
        :param most_drafts: guesses of a step, 1 to 15.
        :param min_ngram: the shortest run of last tokens that is looked up in the text, 1 to 16, and ``max_ngram`` the
            longest.
        :param adapt: as many guesses as came true lately; False: always ``most_drafts``.
        :param probe_lookup: without ``speculate``: counts in ``counters`` and ``ngrams`` what guessing would have given.
        :param certificate: of a certified head: "deterministic" or "probabilistic:1e-9".
        :param audit_every: of a certified head: compare every n-th token with the full head's; 0: never.
        :param kv: how keys and values are stored, "f16" or "q8_0".
        :param max_length: the longest sequence in tokens; 0: the model's context.
        """
        # 0 is the default of the C API, where it would turn nothing off.
        if not top_p > 0 or not repetition_penalty > 0:
            raise ValueError("top_p, repetition_penalty: expected positive numbers (1: off), found "
                             f"{top_p} and {repetition_penalty}")
        if repeat_last_n == 0:
            repetition_penalty, presence_penalty, frequency_penalty = 1.0, 0.0, 0.0
        if allow_ids is not None and len(allow_ids) == 0:
            raise ValueError("allow_ids: expected at least one id, found none")
        if most_drafts < 1 or min_ngram < 1 or max_ngram < 1:
            raise ValueError("most_drafts, min_ngram, max_ngram: expected 1 or more, found "
                             f"{most_drafts}, {min_ngram} and {max_ngram}")
        biases = dict(logit_bias or {})
        self._engine = engine
        self._native = _headway.Sequence(
            engine._native, temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p,
            repetition_penalty=repetition_penalty, repeat_last_n=repeat_last_n, presence_penalty=presence_penalty,
            frequency_penalty=frequency_penalty, seed=seed, bias_ids=list(biases), biases=list(biases.values()),
            allow_ids=list(allow_ids or []), certificate=certificate, grammar=grammar, json_schema=json_schema,
            capacity_tokens=max_length, audit_every=audit_every, kv=_number(_KV, kv, "kv"),
            speculate=1 if speculate else 0, most_drafts=most_drafts, min_ngram=min_ngram, max_ngram=max_ngram,
            adapt=adapt, probe_lookup=probe_lookup, logprobs=logprobs,
            finish=_number(_FINISH, finish, "finish"),
            json_whitespace=_number(_WHITESPACE, json_whitespace, "json_whitespace"))

    def append(self, ids: ListOf[int], *, read: bool = True,
               progress: Callable[[str, int, int], Any] | None = None) -> None:
        """Appends tokens of a prompt and has the model read them; a grammar's text begins behind them.

        ``read=False`` leaves reading to the next step, which can read beside what others decode.
        Ctrl-C stops reading; the tokens stay, and the next call reads on.

        :param progress: hears of tokens read, ``progress("prefill", done, total)``, after each piece of what is not
            read yet, in the caller's thread. What it raises stops reading as Ctrl-C does.
        """
        if progress is not None:
            if not callable(progress):
                raise TypeError(f"progress: expected a function or None, found {progress!r}")
            if not read:
                raise ValueError("progress: expected read=True beside it, as nothing is read without")
            self._read(list(ids), progress)
            return
        (self._native.append if read else self._native.append_unread)(list(ids))

    def append_with(self, ids: ListOf[int], *, logits: bool = True,
                    hidden_states: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Appends tokens and returns what the model computes of each of them.

        :return: ``logits`` [len(ids), vocab_size], of the token that follows each one, and hidden states before the
            head's norm [len(ids), hidden_size], float32; what was not wanted has no rows.
        """
        return self._native.append_with(list(ids), self._engine.vocab_size, self._engine.hidden_size, logits,
                                        hidden_states)

    def score(self, ids: ListOf[int]) -> tuple[np.ndarray, np.ndarray]:
        """Appends tokens; how likely each but the first was, given all before it.

        :return: log-probabilities [len(ids) - 1], float64, and whether each was the most likely one, bool.
        """
        return self._native.score(list(ids))

    def step(self) -> list[int]:
        """Chooses the next token, or several where guesses were right, appends and returns them."""
        self._engine.step([self])
        return [token for token, _, _ in self._native.choices()]

    def choices(self) -> list[tuple[int, float, float]]:
        """(id, logit, logprob) of each token of the last step."""
        return self._native.choices()

    def alternatives(self, count: int, *, after_sampling: bool = False) -> tuple[list[tuple[int, float]], float]:
        """The most likely tokens in place of the last step's only choice, best first: (id, logprob) of each, and the
        choice's own logprob. One product with the head.

        :param after_sampling: ln of the probability to be drawn, after penalties and filters; else of the model's own.
        """
        if count < 1:
            raise ValueError(f"count: expected 1 or more, found {count}")
        return self._native.alternatives(min(count, self._engine.vocab_size), after_sampling)

    def certificates(self) -> list[Certificate]:
        """The evidence of each token of the last step, with a certified head; else empty."""
        return [Certificate(**one) for one in self._native.certificates()]

    def logits(self) -> np.ndarray:
        """The logits [vocab_size] of the next token, float32: a view of the engine's memory, without a copy.

        The engine's next call that computes changes it: ``.copy()`` what is to stay.
        """
        return self._native.logits()

    def last_logits(self) -> np.ndarray:
        """The logits from which the last step's choice came, or those after the last token read: one product with the
        head, and no other reading of the layers. A view, as :meth:`logits`."""
        return self._native.last_logits()

    def hidden_state(self) -> np.ndarray:
        """The state before the head's norm [hidden_size] of the last position read, float32: a view of the sequence's
        memory, which its next step changes."""
        return self._native.hidden()

    def truncate(self, num_tokens: int) -> None:
        """Forgets everything but the first tokens."""
        self._native.truncate(num_tokens)

    def share(self, other: Sequence, num_tokens: int | None = None) -> int:
        """Begins, while it is empty, as another sequence does; their keys and values are stored once.

        :return: how many tokens it has now.
        """
        return self._native.share(other._native, len(other) if num_tokens is None else num_tokens)

    def cancel(self) -> None:
        """Stops, from any thread, what this sequence is doing: it raises :class:`Cancelled` until :meth:`resume`."""
        self._native.cancel(True)

    def resume(self) -> None:
        """Takes :meth:`cancel` back."""
        self._native.cancel(False)

    @property
    def ids(self) -> list[int]:
        """Its tokens."""
        return self._native.tokens()

    @property
    def state(self) -> dict[str, Any]:
        """num_tokens, num_pending (not read yet), capacity_tokens, num_choices, has_certificates; of a grammar's text
        is_complete (it may end here), is_final (nothing but its end can follow), is_over (it is, and no token says
        so)."""
        return self._native.describe()

    @property
    def counters(self) -> dict[str, int]:
        """What it has done and how long that took (docs/counters.md)."""
        return self._native.counters()

    @property
    def times(self) -> dict[str, list[int]]:
        """Nanoseconds: ``layer_shard_ns`` and ``head_shard_ns`` of each shard, summed over the steps, ``step_ns`` of
        single steps (docs/counters.md)."""
        return self._native.times()

    @property
    def ngrams(self) -> dict[str, list[int]]:
        """Guesses by the length of the run of tokens that was found, element n of each list: ``drafted`` and
        ``accepted``, and with ``probe_lookup`` ``probe_drafted`` and ``probe_accepted``."""
        return self._native.ngrams()

    def _read(self, ids: list[int], progress: Callable[[str, int, int], Any]) -> None:
        """Appends, and reads what is pending a piece at a time."""
        self._native.append_unread(ids)
        total = int(self.state["num_pending"])
        done = 0
        while done < total:
            done += self._engine._read_piece(self)
            progress("prefill", done, total)

    def _num_unread(self) -> int:
        """Tokens to read before the step that chooses one, which reads the last of them."""
        return max(int(self.state["num_pending"]) - 1, 0)

    def __len__(self) -> int:
        return int(self.state["num_tokens"])
