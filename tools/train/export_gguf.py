"""Exports a checkpoint as a GGUF file of architecture phi3, the keys and tensor names that llama.cpp reads for Phi-4-mini."""

import argparse
import os

import numpy as np
import torch

import bpe
import gguf
from gguf import ARRAY, BOOL, F32, I32, STRING, U32
from model import Config

NORMAL, CONTROL = 1, 3
Q8_0_FILE = 7
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% else %}{{ eos_token }}{% endif %}"
)


def metadata(config, tokenizer, name):
    tokens, merges = tokenizer.token_strings()
    kinds = [NORMAL] * len(tokenizer.bytes) + [CONTROL] * len(bpe.SPECIALS)
    end = tokenizer.end_of_text
    return [
        ("general.architecture", STRING, "phi3"),
        ("general.name", STRING, name),
        ("general.alignment", U32, gguf.ALIGNMENT),
        ("general.file_type", U32, Q8_0_FILE),
        ("general.quantization_version", U32, 2),
        ("phi3.context_length", U32, config.context_length),
        ("phi3.rope.scaling.original_context_length", U32, config.original_context),
        ("phi3.embedding_length", U32, config.d_model),
        ("phi3.feed_forward_length", U32, config.d_ff),
        ("phi3.block_count", U32, config.num_layers),
        ("phi3.attention.head_count", U32, config.num_heads),
        ("phi3.attention.head_count_kv", U32, config.num_kv_heads),
        ("phi3.attention.layer_norm_rms_epsilon", F32, config.norm_eps),
        ("phi3.rope.dimension_count", U32, config.num_rotary),
        ("phi3.rope.freq_base", F32, config.rope_base),
        ("phi3.rope.scaling.attn_factor", F32, config.attention_factor()),
        ("phi3.attention.sliding_window", U32, 0),
        ("tokenizer.ggml.model", STRING, "gpt2"),
        ("tokenizer.ggml.pre", STRING, "gpt-4o"),
        ("tokenizer.ggml.tokens", (ARRAY, STRING), tokens),
        ("tokenizer.ggml.token_type", (ARRAY, I32), kinds),
        ("tokenizer.ggml.merges", (ARRAY, STRING), merges),
        ("tokenizer.ggml.bos_token_id", U32, end),
        ("tokenizer.ggml.eos_token_id", U32, end),
        ("tokenizer.ggml.unknown_token_id", U32, end),
        ("tokenizer.ggml.padding_token_id", U32, end),
        ("tokenizer.ggml.add_bos_token", BOOL, False),
        ("tokenizer.ggml.add_eos_token", BOOL, False),
        ("tokenizer.chat_template", STRING, CHAT_TEMPLATE),
    ]


PARTS = [("attn_norm", "attn_norm.weight", gguf.TYPE_F32), ("attn_qkv", "qkv", gguf.TYPE_Q8_0), ("attn_output", "attn_out", gguf.TYPE_Q8_0),
         ("ffn_norm", "ffn_norm.weight", gguf.TYPE_F32), ("ffn_up", "gate_up", gguf.TYPE_Q8_0), ("ffn_down", "down", gguf.TYPE_Q8_0)]


def parameters(config):
    """[(name in the file, name in the checkpoint, type)] of everything that is trained, in file order."""
    layers = [(f"blk.{i}.{name}.weight", f"blocks.{i}.{source}", kind) for i in range(config.num_layers) for name, source, kind in PARTS]
    return [("token_embd.weight", "embedding", gguf.TYPE_Q8_0)] + layers + [("output_norm.weight", "output_norm.weight", gguf.TYPE_F32)]


def tensors(config, state):
    """[(name, type, array)] in file order. state: the checkpoint's {parameter name: tensor}."""
    trained = [(name, kind, state[source].float().numpy()) for name, source, kind in parameters(config)]
    factors = [("rope_factors_long.weight", gguf.TYPE_F32, np.array(config.long_factors(), dtype=np.float32)),
               ("rope_factors_short.weight", gguf.TYPE_F32, np.array(config.short_factors(), dtype=np.float32))]
    return trained[:1] + factors + trained[1:]


def read_state(config, tokenizer, path):
    """The checkpoint's {parameter name: tensor} out of an exported file, which must have this tokenizer."""
    reader = gguf.Reader(path)
    tokens, merges = tokenizer.token_strings()
    same = reader.metadata["tokenizer.ggml.tokens"] == tokens and reader.metadata["tokenizer.ggml.merges"] == merges
    assert same, f"{path} was trained with another tokenizer than this folder's"
    return {source: torch.from_numpy(reader.tensors[name].copy()) for name, source, _ in parameters(config)}


def export(folder, output, name):
    state = torch.load(os.path.join(folder, "checkpoint.pt"), map_location="cpu")
    config = Config(**state["config"])
    tokenizer = bpe.Tokenizer.load(os.path.join(folder, "tokenizer.json"))
    listed = tensors(config, state["model"])
    gguf.write(output, metadata(config, tokenizer, name), listed)
    count = sum(a.size for n, _, a in listed if not n.startswith("rope_"))
    print(f"{output}: {count} parameters, {os.path.getsize(output)} bytes, after {state['tokens']} training tokens")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", required=True, help="the training folder with checkpoint.pt and tokenizer.json")
    parser.add_argument("--name", default="Headway Story 12M")
    parser.add_argument("-o", "--output", required=True)
    args = parser.parse_args()
    export(args.folder, args.output, args.name)


if __name__ == "__main__":
    main()
