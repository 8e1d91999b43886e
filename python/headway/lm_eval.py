"""EleutherAI's evaluation harness on an engine (``pip install lm-eval``):

    import lm_eval
    from headway.lm_eval import HeadwayLM
    results = lm_eval.simple_evaluate(model=HeadwayLM("model.gguf"), tasks=["hellaswag"], limit=100)

The harness's own command knows nothing of it, since it imports no other packages; with ``headway serve`` running it
takes ``--model local-completions``.
"""

from __future__ import annotations

import json
from typing import Any

from lm_eval.api.model import TemplateLM
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from .engine import Engine


class HeadwayLM(TemplateLM):
    """What the harness asks of a model."""

    def __init__(self, pretrained: str | Engine, batch_size: int | str = 16, max_length: int | None = None,
                 max_gen_toks: int = 256, **engine_options: Any) -> None:
        """
        :param pretrained: a GGUF, a package, or an engine; ``engine_options`` open the former two.
        :param batch_size: texts that are written at once (:meth:`Engine.generate_batch`); "auto": 16.
        """
        super().__init__()
        # Every logit counts here: a certified head has none to spare.
        self.engine = pretrained if isinstance(pretrained, Engine) else Engine(
            pretrained, **{"head": "full:4", **engine_options})
        self.batch_size = 16 if batch_size == "auto" else int(batch_size)
        self.max_length = min(max_length or self.engine.context_size, self.engine.context_size)
        self.max_gen_toks = max_gen_toks
        self._has_chat = False  # contexts are chats, spelled out with their control tokens

    @property
    def eot_token_id(self) -> int:
        token = self.engine.eos_token_id
        return self.prefix_token_id if token is None else token

    @property
    def prefix_token_id(self) -> int:
        for token in (self.engine.bos_token_id, self.engine.eos_token_id):
            if token is not None:
                return token
        return 0

    @property
    def tokenizer_name(self) -> str:
        return str(self.engine.summary["name"])

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
        ids = self.engine.encode(string, add_special_tokens=add_special_tokens is not False,
                                 parse_special=self._has_chat)
        return ids[1:] if ids[:2] == [self.engine.bos_token_id] * 2 else ids  # a chat brings its own

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        self._has_chat = True
        return str(self.engine.apply_chat_template(chat_history, add_generation_prompt=add_generation_prompt,
                                                   tokenize=False))

    def _score(self, context: list[int], continuation: list[int]) -> tuple[float, bool]:
        """ln of the probability of a continuation, and whether greedy decoding would write it."""
        if not continuation:
            return 0.0, True
        ids = (context + continuation)[-self.max_length:]
        sequence = self.engine.sequence(max_length=len(ids))
        logprobs, is_best = sequence.score(ids)
        count = min(len(continuation), len(ids) - 1)
        return float(logprobs[-count:].sum()), bool(is_best[-count:].all())

    def _loglikelihood_tokens(self, requests: list[tuple[tuple[str, str], list[int], list[int]]],
                              **_: Any) -> list[tuple[float, bool]]:
        out = []
        for (context, continuation), context_ids, continuation_ids in requests:
            answer = self._score(context_ids, continuation_ids)
            self.cache_hook.add_partial("loglikelihood", (context, continuation), answer)
            out.append(answer)
        return out

    def loglikelihood_rolling(self, requests: list[Any], disable_tqdm: bool = False) -> list[float]:
        out = []
        for request in requests:
            windows = get_rolling_token_windows(
                token_list=self.tok_encode(request.args[0], add_special_tokens=False),
                prefix_token=self.prefix_token_id, max_seq_len=self.max_length, context_len=1)
            pairs = [make_disjoint_window(window) for window in windows]
            out.append(sum(self._score(context, continuation)[0] for context, continuation in pairs))
        return out

    def _settings(self, options: dict[str, Any]) -> dict[str, Any]:
        """What ``generate_batch`` is given for a request's options."""
        until = options.get("until") or []
        names = ("temperature", "top_k", "top_p", "min_p") if options.get("do_sample", False) else ()
        return {"stop": [until] if isinstance(until, str) else list(until),
                "max_new_tokens": int(options.get("max_gen_toks", self.max_gen_toks)),
                **{name: options[name] for name in names if name in options}}

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        out = [""] * len(requests)
        alike: dict[str, list[int]] = {}  # requests of the same settings are written together
        for index, request in enumerate(requests):
            alike.setdefault(json.dumps(self._settings(request.args[1]), sort_keys=True), []).append(index)
        for text, indices in alike.items():
            settings = json.loads(text)
            most = max(1, self.max_length - settings["max_new_tokens"])
            prompts = [self.tok_encode(requests[index].args[0])[-most:] for index in indices]
            for index, made in zip(indices, self.engine.generate_batch(prompts, batch_size=self.batch_size, **settings)):
                self.cache_hook.add_partial("generate_until", requests[index].args, made.text)
                out[index] = made.text
        return out
