"""EleutherAI's evaluation harness on an engine (``pip install lm-eval``):

    import lm_eval
    from headway.lm_eval import HeadwayLM
    results = lm_eval.simple_evaluate(model=HeadwayLM("model.gguf"), tasks=["hellaswag"], limit=100)

or ``lm_eval --model headway --model_args pretrained=model.gguf`` after ``import headway.lm_eval``.
"""

from __future__ import annotations

from typing import Any

from lm_eval.api.model import TemplateLM
from lm_eval.api.registry import register_model
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from .engine import Engine


@register_model("headway")
class HeadwayLM(TemplateLM):
    """What the harness asks of a model."""

    def __init__(self, pretrained: str | Engine, batch_size: int | str = 16, max_length: int | None = None,
                 max_gen_toks: int = 256, **engine_options: Any) -> None:
        """:param pretrained: a GGUF, a package, or an engine; ``engine_options`` open the former two."""
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
        ids = self.engine.apply_chat_template(chat_history, add_generation_prompt=add_generation_prompt)
        return self.engine.decode(ids, skip_special_tokens=False)

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

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        out = []
        for request in requests:
            context, options = request.args
            until = options.get("until") or []
            max_new_tokens = int(options.get("max_gen_toks", self.max_gen_toks))
            sampling = {name: options[name] for name in ("temperature", "top_k", "top_p", "min_p") if name in options}
            if not options.get("do_sample", False):
                sampling["temperature"] = 0.0
            ids = self.tok_encode(context)[-max(1, self.max_length - max_new_tokens):]
            made = self.engine.generate(ids, max_new_tokens=max_new_tokens, stop=until, **sampling).read()
            self.cache_hook.add_partial("generate_until", request.args, made.text)
            out.append(made.text)
        return out
