"""A model ready to generate."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from typing import Any, Callable, Iterable, Mapping, Sequence as ListOf, Union

import numpy as np

from . import _headway
from .errors import error_of
from .generation import Generation
from .sequence import Sequence

Prompt = Union[str, ListOf[int]]
Progress = Callable[[str, int, int], Any]
_LOAD = {"auto": _headway.LOAD_AUTO, "map": _headway.LOAD_MAP, "copy": _headway.LOAD_COPY}


@dataclasses.dataclass(frozen=True)
class Perplexity:
    """Of a text, as llama.cpp's llama-perplexity computes it."""

    perplexity: float
    standard_error: float
    windows: int
    scored_tokens: int
    text_tokens: int


class Engine:
    """An opened model, immutable and safe to use from several threads: calls that compute wait for each other.

    Everything that follows is in the order of a text's way: :meth:`encode`, :meth:`generate` or :meth:`chat`,
    :meth:`decode`; :meth:`generate_batch` for many at once, :meth:`sequence` and :meth:`step` for the single steps.
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        *,
        head: str = "",
        threads: int = 0,
        topology: str = "",
        instruction_set: str = "",
        cache_directory: str | os.PathLike[str] = "",
        usage_text: str = "",
        load: str = "auto",
        compute_units: str = "",
        verify: bool = False,
        verbose: bool = False,
        progress: Progress | None = None,
    ) -> None:
        """Opens a GGUF file (packed once into a cache; later opens find it there) or a package directory.

        :param head: "full:4", "certified", ...; empty: a certified head where it pays.
        :param threads: 0: the processors that this process may run on.
        :param topology: layers a shard, as for ``headway pack``; it changes no token.
        :param instruction_set: "reference", "avx2", ...; empty: the best of this machine.
        :param cache_directory: for packages made from GGUF files; empty: docs/cli.md says which.
        :param usage_text: a text like those to come, from which a certified head learns.
        :param load: "map" reads weights in place, "copy" into huge pages, "auto" as suits.
        :param compute_units: of a Core ML package: where it may run, "all", "cpu-and-neural-engine", "cpu-and-gpu" or
            "cpu-only", or "interpreter"; empty: as suits.
        :param verify: compare every file of the package with its digest first.
        :param verbose: progress on stderr.
        :param progress: hears of packing: ``progress(work, done, total)``, at most 101 times of each work, "packing",
            "reading texts for the head" and "certified head", in the thread that opens. What it raises stops packing
            and goes on from here.
        """
        if load not in _LOAD:
            raise ValueError(f"load: expected one of {', '.join(_LOAD)}, found {load!r}")
        if progress is not None and not callable(progress):
            raise TypeError(f"progress: expected a function or None, found {progress!r}")
        self._native = _headway.Engine(
            os.fspath(model), head=head, threads=threads, topology=topology, instruction_set=instruction_set,
            cache_directory=os.fspath(cache_directory), usage_text=usage_text, load=_LOAD[load],
            compute_units=compute_units, verify=verify, show_progress=verbose, progress=progress)
        self._summary: dict[str, Any] = self._native.describe()

    @property
    def summary(self) -> dict[str, Any]:
        """What was opened: name, architecture, head, topology, threads, context_tokens, vocab_size, ..."""
        return dict(self._summary)

    @property
    def vocab_size(self) -> int:
        """Tokens that the head scores."""
        return int(self._summary["vocab_size"])

    @property
    def hidden_size(self) -> int:
        """Numbers of a hidden state."""
        return int(self._summary["hidden_size"])

    @property
    def context_size(self) -> int:
        """The longest sequence in tokens."""
        return int(self._summary["context_tokens"])

    @property
    def bos_token_id(self) -> int | None:
        """The token that begins a text; None: the model has none."""
        return self._summary["bos_token"] if self._summary["bos_token"] >= 0 else None

    @property
    def eos_token_id(self) -> int | None:
        """The token that ends a text; None: the model has none."""
        return self._summary["eos_token"] if self._summary["eos_token"] >= 0 else None

    def encode(self, text: str | bytes, *, add_special_tokens: bool = True, parse_special: bool = False) -> list[int]:
        """Token ids of a text, or of any bytes.

        :param add_special_tokens: begin as the model's texts do, with its begin-of-sequence token if it has one.
        :param parse_special: special tokens written out in the text count as such; otherwise they stay text.
        """
        raw = text.encode("utf-8") if isinstance(text, str) else text
        flags = (_headway.PARSE_SPECIAL if parse_special else 0) | (0 if add_special_tokens else _headway.NO_MARKS)
        return self._native.tokenize(raw, flags)

    def decode(self, ids: Iterable[int], *, skip_special_tokens: bool = True) -> str:
        """The text of ids; bytes that are no UTF-8 come out as U+FFFD (see :meth:`decode_bytes`)."""
        return self.decode_bytes(ids, skip_special_tokens=skip_special_tokens).decode("utf-8", "replace")

    def decode_bytes(self, ids: Iterable[int], *, skip_special_tokens: bool = True) -> bytes:
        """The exact bytes of ids."""
        return self._native.detokenize([int(i) for i in ids], not skip_special_tokens)

    def apply_chat_template(self, messages: ListOf[Mapping[str, Any]], *, tools: ListOf[Mapping[str, Any]] | None = None,
                            add_generation_prompt: bool = True, tokenize: bool = True, chat_template: str = "",
                            **variables: Any) -> list[int] | str:
        """Token ids of a conversation by the model's own chat template. Nothing in a message becomes a control token.

        :param messages: as in OpenAI's API: ``[{"role": "user", "content": "Hello"}]``.
        :param tools: what the model may call, as in OpenAI's API.
        :param add_generation_prompt: end where the assistant's answer begins.
        :param tokenize: False: the text instead, from which nobody can tell what came out of a message.
        :param chat_template: Jinja in place of the model's own.
        :param variables: what the template reads besides, as ``enable_thinking=False``.
        """
        made = self._native.tokenize_chat if tokenize else self._native.render_chat
        return made(
            json.dumps(messages), json.dumps(tools) if tools else "", json.dumps(variables) if variables else "",
            chat_template, add_generation_prompt)

    def sequence(self, **options: Any) -> Sequence:
        """A new conversation, without tokens. Options: those of :class:`Sequence`."""
        return Sequence(self, **options)

    def step(self, sequences: ListOf[Sequence]) -> None:
        """Chooses the next token of each sequence, or more where guesses were right; the weights are read once for all.

        What a sequence gets does not depend on the others. Where one fails, the others go on, and the first error is
        raised afterwards. Prompts that are not read yet (``append(read=False)``) are read first, a piece at a time:
        Ctrl-C gets in between, and the next call reads on.
        """
        while unread := [s for s in sequences if s._num_unread() > 0]:
            self._step([], unread)
        self._step(sequences, [])

    def _step(self, choosing: ListOf[Sequence], reading: ListOf[Sequence]) -> None:
        """One step: a token for some, a piece of their prompts for others, as much as a reading of the weights takes."""
        piece = int(self._summary["max_rows"])
        rows = [(s._native, None, 0) for s in choosing]
        rows += [(s._native, None, min(s._num_unread(), piece)) for s in reading]
        outcomes = self._native.step(rows)
        for (status, _), sequence in zip(outcomes, [*choosing, *reading]):
            if status != 0:
                raise error_of(status, sequence._native.error_text().encode())

    def _read_piece(self, sequence: Sequence) -> int:
        """Reads tokens that are not read yet, as many as a reading of the weights takes; how many."""
        pending = int(sequence.state["num_pending"])
        piece = min(pending, int(self._summary["max_rows"]))
        ((status, _),) = self._native.step([(sequence._native, None, piece)])
        if status != 0:
            raise error_of(status, sequence._native.error_text().encode())
        return pending - int(sequence.state["num_pending"])

    def _prompt_ids(self, prompt: Prompt) -> list[int]:
        return self.encode(prompt) if isinstance(prompt, (str, bytes)) else [int(i) for i in prompt]

    def _begin(self, ids: list[int], *, at_start: bool, read: bool, max_new_tokens: int,
               stop: str | ListOf[str] | None, ignore_eos: bool, options: dict[str, Any],
               progress: Progress | None = None) -> Generation:
        stops = [stop] if isinstance(stop, str) else list(stop or [])
        if any(not s for s in stops):
            raise ValueError("stop: expected texts, found an empty one")
        if max_new_tokens < 0:
            raise ValueError(f"max_new_tokens: expected 0 or more, found {max_new_tokens}")
        if not ids:
            raise ValueError("prompt: expected at least one token, found none")
        options.setdefault("max_length", min(self.context_size, max(len(ids) + max_new_tokens, 1)))
        sequence = self.sequence(**options)
        sequence.append(ids, read=read, progress=progress)
        return Generation(self, sequence, max_new_tokens=max_new_tokens, stop=stops, ignore_end=ignore_eos,
                          logprobs=bool(options.get("logprobs")), at_start=at_start)

    def generate(self, prompt: Prompt, *, max_new_tokens: int = 128, stop: str | ListOf[str] | None = None,
                 ignore_eos: bool = False, progress: Progress | None = None, **options: Any) -> Generation:
        """Goes on from a text or from token ids: an iterator over :class:`Token`.

        The prompt is read before this returns.

        :param stop: texts that end it; they are not part of the result.
        :param ignore_eos: go on after tokens that end a text.
        :param progress: hears of the prompt that is read, as :meth:`Sequence.append` tells it.
        :param options: those of :class:`Sequence`: temperature, top_k, seed, json_schema, ...
        """
        return self._begin(self._prompt_ids(prompt), at_start=False, read=True, max_new_tokens=max_new_tokens,
                           stop=stop, ignore_eos=ignore_eos, options=options, progress=progress)

    def chat(self, messages: ListOf[Mapping[str, Any]], *, max_new_tokens: int = 512,
             stop: str | ListOf[str] | None = None, tools: ListOf[Mapping[str, Any]] | None = None,
             template_variables: Mapping[str, Any] | None = None, progress: Progress | None = None,
             **options: Any) -> Generation:
        """The assistant's answer to a conversation (:meth:`apply_chat_template`), as :meth:`generate` writes it."""
        ids = self.apply_chat_template(messages, tools=tools, **dict(template_variables or {}))
        assert not isinstance(ids, str)
        return self._begin(ids, at_start=True, read=True, max_new_tokens=max_new_tokens, stop=stop, ignore_eos=False,
                           options=options, progress=progress)

    def generate_batch(self, prompts: Iterable[Prompt], *, max_new_tokens: int = 128,
                       stop: str | ListOf[str] | None = None, ignore_eos: bool = False, batch_size: int = 16,
                       **options: Any) -> list[Generation]:
        """Goes on from many prompts, up to ``batch_size`` at once: each gets what it would get alone, bit for bit.

        Prompts are read in pieces beside what the others decode; Ctrl-C gets in between two steps.
        """
        most = min(batch_size, int(self._summary["max_rows"]))
        if most < 1:
            raise ValueError(f"batch_size: expected 1 or more, found {batch_size}")
        waiting = [self._prompt_ids(prompt) for prompt in prompts]
        done: list[Generation] = []
        running: list[Generation] = []
        while waiting or running:
            while waiting and len(running) < most:
                begun = self._begin(waiting.pop(0), at_start=False, read=False, max_new_tokens=max_new_tokens,
                                    stop=stop, ignore_eos=ignore_eos, options=dict(options))
                done.append(begun)
                if begun.finish_reason is None:
                    running.append(begun)
            reading = [one.sequence for one in running if one.sequence._num_unread() > 0]
            choosing = [one for one in running if one.sequence not in reading]
            if running:
                self._step([one.sequence for one in choosing], reading)
            for one in choosing:
                one._take()
            running = [one for one in running if one.finish_reason is None]
        return [one.read() for one in done]

    def logits(self, prompt: Prompt) -> np.ndarray:
        """The logits [tokens, vocab_size] that the model gives after each token of a prompt, float32."""
        ids = self._prompt_ids(prompt)
        return self.sequence(max_length=max(len(ids), 1)).append_with(ids)[0]

    def hidden_states(self, prompt: Prompt) -> np.ndarray:
        """The states before the head's norm [tokens, hidden_size] of each token of a prompt, float32."""
        ids = self._prompt_ids(prompt)
        return self.sequence(max_length=max(len(ids), 1)).append_with(ids, logits=False, hidden_states=True)[1]

    def embed(self, text: Prompt) -> np.ndarray:
        """The mean of a text's hidden states, of length 1: what the server's /v1/embeddings answers."""
        mean = self.hidden_states(text).mean(axis=0, dtype=np.float64)
        return (mean / max(float(np.linalg.norm(mean)), 1e-30)).astype(np.float32)

    def eval(self, text: str, *, window: int = 512, max_windows: int = 0, kv: str = "f16") -> Perplexity:
        """Perplexity of a text, cut into windows whose second half is scored, given the first (docs/parity.md)."""
        ids = self.encode(text)
        if window < 4 or window > self.context_size or len(ids) < window:
            raise ValueError(f"window: expected 4 to {self.context_size} tokens and a text as long, found {window} and "
                             f"{len(ids)}")
        num_windows = len(ids) // window
        if max_windows > 0:
            num_windows = min(num_windows, max_windows)
        marks = len(ids) - len(self.encode(text, add_special_tokens=False))
        sequence = self.sequence(max_length=window, kv=kv)
        surprises: list[np.ndarray] = []
        for start in range(0, num_windows * window, window):
            part = ids[start:start + window]
            if marks > 0 and self.bos_token_id is not None:
                part[0] = self.bos_token_id
            sequence.truncate(0)
            logprobs, _ = sequence.score(part)
            surprises.append(-logprobs[window // 2:])
        scored = np.concatenate(surprises)
        perplexity = math.exp(scored.mean())
        error = perplexity * math.sqrt(max(scored.var(), 0.0) / (len(scored) - 1)) if len(scored) > 1 else 0.0
        return Perplexity(perplexity, error, num_windows, len(scored), len(ids))

    def __repr__(self) -> str:
        s = self._summary
        return f"headway.Engine({s['name']!r}, {s['architecture']}, head {s['head']}, {s['threads']} threads)"
