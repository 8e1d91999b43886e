#!/usr/bin/env python3
"""Prints what PyPI's `gguf` package makes of known bytes of every weight type: the table in src/tensor/recorded_blocks_test.cc.

    pip install gguf && tools/record_blocks.py

The bytes are a generator's, so that the test needs no files: splitmix64 from the type's ggml number, eight bytes a step, little-endian; then the top bit of
the exponent of every binary16 scale is cleared, which keeps scales finite. Of the values the test keeps FNV-1a over their bits and three examples.
"""
import numpy
from gguf import GGMLQuantizationType, quants
from gguf.constants import GGML_QUANT_SIZES

BLOCKS = 8
MASK = (1 << 64) - 1
# Where the binary16 numbers of a block begin; none: the block has none, or is one.
HALVES = {"Q4_0": (0,), "Q4_1": (0, 2), "Q5_0": (0,), "Q5_1": (0, 2), "Q8_0": (0,), "Q2_K": (80, 82), "Q3_K": (108,), "Q4_K": (0, 2), "Q5_K": (0, 2),
          "Q6_K": (208,), "IQ4_NL": (0,), "IQ4_XS": (0,), "MXFP4": ()}


def stream(seed, count):
    state, out = seed, bytearray()
    while len(out) < count:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        out += (z ^ (z >> 31)).to_bytes(8, "little")
    return out[:count]


def main():
    for name, halves in HALVES.items():
        kind = GGMLQuantizationType[name]
        _, size = GGML_QUANT_SIZES[kind]
        data = stream(int(kind), BLOCKS * size)
        for block in range(BLOCKS):
            for half in halves:
                data[block * size + half + 1] &= 0xBF
        with numpy.errstate(over="ignore"):
            values = quants.dequantize(numpy.frombuffer(bytes(data), dtype=numpy.uint8), kind)
        bits = values.astype("<f4").view("<u4")
        digest = 0xCBF29CE484222325
        for word in bits.tolist():
            digest = ((digest ^ word) * 0x100000001B3) & MASK
        shown = ", ".join(f"0x{bits[i]:08x}U" for i in (0, 21, len(bits) - 1))
        places = ", ".join(map(str, halves))
        print(f"    {{DataType::k{name}, {int(kind)}, {{{places}}}, 0x{digest:016x}U, {{{shown}}}}},")


if __name__ == "__main__":
    main()
