"""Headway: language models in GGUF on ordinary CPUs, and what their LM head costs.

    import headway
    engine = headway.Engine("model.gguf")
    for token in engine.generate("Once upon a time", max_new_tokens=60):
        print(token.text, end="", flush=True)

Names are Hugging Face's where they mean the same (``max_new_tokens``, ``temperature``, ``top_k``,
``repetition_penalty``, ``encode``, ``decode``, ``apply_chat_template``). docs/python.md tells more.
"""

from ._headway import __version__
from .engine import Engine, Perplexity
from .errors import Cancelled, HeadwayError, InvalidInput, NotFound, Unsupported
from .generation import Certificate, Generation, Token
from .sequence import Sequence
from .serving import Server, serve

__all__ = [
    "Cancelled", "Certificate", "Engine", "Generation", "HeadwayError", "InvalidInput", "NotFound", "Perplexity",
    "Sequence", "Server", "Token", "Unsupported", "__version__", "serve",
]
