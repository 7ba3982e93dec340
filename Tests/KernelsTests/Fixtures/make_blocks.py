#!/usr/bin/env python3
"""Writes `blocks.txt`: stored blocks of every format with what the `gguf` package decodes them to.

    pip install gguf==0.19.0 numpy
    make_blocks.py

One line per block: format, the stored bytes, the decoded weights' bits (f32), both in hexadecimal. Codes are random;
factors are ordinary, zero of both signs, subnormal, negative, huge, infinite and not a number.
"""

from pathlib import Path

import gguf
import numpy as np

# Offsets of the f16 factors in a block; MXFP4 has an exponent in its first byte instead.
FACTORS = {
    "Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q2_K": [80, 82], "Q3_K": [108],
    "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0], "MXFP4": [],
}
HALVES = [0x2e66, 0xae66, 0x0000, 0x8000, 0x0001, 0x83ff, 0x7bff, 0x7c00, 0x7e00]
EXPONENTS = [0, 1, 2, 60, 127, 128, 254, 255]


def stored_blocks(name: str, generator: np.random.Generator) -> np.ndarray:
    _, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[name]]
    count = len(HALVES) if FACTORS[name] else len(EXPONENTS)
    blocks = generator.integers(0, 256, (count, size), dtype=np.uint8)
    for row, block in enumerate(blocks):
        for place, offset in enumerate(FACTORS[name]):
            half = HALVES[(row + place) % len(HALVES)]
            block[offset], block[offset + 1] = half & 255, half >> 8
        if not FACTORS[name]:
            block[0] = EXPONENTS[row]
    return blocks


def main():
    generator = np.random.default_rng(20261123)
    lines = []
    for name in FACTORS:
        for block in stored_blocks(name, generator):
            with np.errstate(all="ignore"):
                weights = gguf.quants.dequantize(block, gguf.GGMLQuantizationType[name])
            bits = weights.astype("<f4").view("<u4")
            lines.append(f"{name} {block.tobytes().hex()} {''.join(f'{word:08x}' for word in bits)}")
    Path(__file__).with_name("blocks.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
