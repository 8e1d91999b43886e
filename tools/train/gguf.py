"""Reading and writing GGUF version 3 files: metadata, F32 and Q8_0 tensors. Layout: GGUF specification, version 3.

A Q8_0 block is 32 weights: a float16 scale d = max|x| / 127, then 32 int8 round(x / d).
"""

import os
import struct

import numpy as np

MAGIC, VERSION, ALIGNMENT = b"GGUF", 3, 32
U32, I32, F32, BOOL, STRING, ARRAY, U64 = 4, 5, 6, 7, 8, 9, 10
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
TYPE_F32, TYPE_Q8_0 = 0, 8
BLOCK, BLOCK_BYTES = 32, 34


def quantise_q8_0(matrix):
    """[rows, columns] f32 -> bytes; columns is a multiple of 32."""
    blocks = np.ascontiguousarray(matrix, dtype=np.float32).reshape(-1, BLOCK)
    scale = np.abs(blocks).max(axis=1) / 127
    inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale > 0)
    quants = np.rint(blocks * inverse[:, None]).astype(np.int8)
    out = np.empty((len(blocks), BLOCK_BYTES), dtype=np.uint8)
    out[:, :2] = scale.astype(np.float16).view(np.uint8).reshape(-1, 2)
    out[:, 2:] = quants.view(np.uint8)
    return out.tobytes()


def dequantise_q8_0(data, shape):
    blocks = np.frombuffer(data, dtype=np.uint8).reshape(-1, BLOCK_BYTES)
    scale = blocks[:, :2].copy().view(np.float16).astype(np.float32)
    return (blocks[:, 2:].copy().view(np.int8) * scale).reshape(shape).astype(np.float32)


def encode_string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def encode_value(kind, value):
    """kind: a scalar type, STRING, or (ARRAY, element type)."""
    if isinstance(kind, tuple):
        element = kind[1]
        return struct.pack("<IQ", element, len(value)) + b"".join(encode_value(element, v) for v in value)
    return encode_string(value) if kind == STRING else struct.pack("<" + SCALARS[kind], value)


def write(path, metadata, tensors):
    """metadata: [(key, kind, value)]; tensors: [(name, type, array)]. Written beside the target, then renamed."""
    head = MAGIC + struct.pack("<IQQ", VERSION, len(tensors), len(metadata))
    for key, kind, value in metadata:
        code = ARRAY if isinstance(kind, tuple) else kind
        head += encode_string(key) + struct.pack("<I", code) + encode_value(kind, value)
    payloads, offset = [], 0
    for name, kind, array in tensors:
        payload = quantise_q8_0(array) if kind == TYPE_Q8_0 else np.ascontiguousarray(array, dtype="<f4").tobytes()
        dims = array.shape[::-1]  # the file lists the contiguous dimension first
        head += encode_string(name) + struct.pack("<I", len(dims)) + struct.pack(f"<{len(dims)}Q", *dims) + struct.pack("<IQ", kind, offset)
        payload += bytes(-len(payload) % ALIGNMENT)
        payloads.append(payload)
        offset += len(payload)
    part = path + ".part"
    with open(part, "wb") as file:
        file.write(head + bytes(-len(head) % ALIGNMENT))
        for payload in payloads:
            file.write(payload)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)


class Reader:
    """metadata: {key: value}; tensors: {name: float32 array, dequantised}."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = file.read()
        self.at = 4
        assert self.data[:4] == MAGIC, f"{path}: not a GGUF file"
        version, num_tensors, num_entries = self.take("IQQ")
        assert version == VERSION, f"{path}: version {version}, expected {VERSION}"
        self.metadata = {}
        for _ in range(num_entries):
            key = self.string()
            self.metadata[key] = self.value(self.take("I")[0])
        infos = []
        for _ in range(num_tensors):
            name = self.string()
            dims = self.take("Q" * self.take("I")[0])
            infos.append((name, dims[::-1]) + self.take("IQ"))
        start = self.at + -self.at % self.metadata.get("general.alignment", ALIGNMENT)
        self.tensors = {name: self.tensor(start + offset, shape, kind) for name, shape, kind, offset in infos}

    def take(self, layout):
        values = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += struct.calcsize("<" + layout)
        return values

    def string(self):
        (length,) = self.take("Q")
        self.at += length
        return self.data[self.at - length : self.at].decode()

    def value(self, kind):
        if kind == STRING:
            return self.string()
        if kind == ARRAY:
            element, count = self.take("IQ")
            return [self.value(element) for _ in range(count)]
        return self.take(SCALARS[kind])[0]

    def tensor(self, start, shape, kind):
        count = int(np.prod(shape))
        if kind == TYPE_Q8_0:
            return dequantise_q8_0(self.data[start : start + count // BLOCK * BLOCK_BYTES], shape)
        assert kind == TYPE_F32, f"tensor type {kind} is not handled here"
        return np.frombuffer(self.data, dtype="<f4", count=count, offset=start).reshape(shape)
