#!/usr/bin/env python3
"""Writes a GGUF file in the shape of Qwen3-30B-A3B with fewer layers and random blocks, the same for every program that
is timed: shapes, block formats and memory traffic are those of the real model, what it says is noise.

    make_model.py --out FILE [--quant Q4_K] [--layers 12] [--vocabulary 32768] [--output-quant Q8_0]
    make_model.py --describe FILE        its sizes, as JSON

Needs gguf and numpy.
"""

import argparse
import itertools
import json
import os
import sys
from pathlib import Path

import gguf
import numpy

HIDDEN = 2048
HEADS = 32
KEY_VALUE_HEADS = 4
HEAD = 128
EXPERTS = 128
EXPERTS_USED = 8
EXPERT_WIDTH = 768
EPSILON = 1e-6
SEED = 20

# Blocks of a format: columns and bytes of one, and the `general.file_type` of a file of them.
BLOCKS = {"Q4_K": (256, 144, 15), "Q8_0": (32, 34, 7)}


def scales(values: numpy.ndarray) -> numpy.ndarray:
    """Half-precision numbers as the bytes of one column of blocks."""
    return values.astype("<f2").view(numpy.uint8).reshape(-1, 2)


def random_blocks(generator, quant: str, rows: int, columns: int) -> numpy.ndarray:
    """The bytes of `rows` rows of valid blocks whose values have mean 0 and a spread of about 1/sqrt(columns)."""
    width, size, _ = BLOCKS[quant]
    count = rows * columns // width
    raw = numpy.frombuffer(generator.bytes(count * size), numpy.uint8).reshape(count, size).copy()
    spread = columns**-0.5
    # Real files do not have one scale for all blocks either.
    jitter = generator.uniform(0.8, 1.2, count)
    if quant == "Q4_K":
        # A value is d * scale * nibble - dmin * minimum, with scale and minimum below 64 and the nibble below 16: it
        # has mean 0 if dmin is 7.5 d, and then a spread of 258 d.
        raw[:, 0:2] = scales(jitter * spread / 258)
        raw[:, 2:4] = scales(7.5 * jitter * spread / 258)
    else:
        # A byte from -128 to 127 has a spread of 74.
        raw[:, 0:2] = scales(jitter * spread / 74)
    return raw.reshape(rows, -1)


def tensors(layers: int, vocabulary: int):
    """Name and shape of every tensor, in the order in which they are stored; what has one dimension, and the router, is
    stored as F32, the rest in blocks."""
    yield "token_embd.weight", (vocabulary, HIDDEN)
    for layer in range(layers):
        prefix = f"blk.{layer}."
        yield prefix + "attn_norm.weight", (HIDDEN,)
        yield prefix + "attn_q.weight", (HEADS * HEAD, HIDDEN)
        yield prefix + "attn_k.weight", (KEY_VALUE_HEADS * HEAD, HIDDEN)
        yield prefix + "attn_v.weight", (KEY_VALUE_HEADS * HEAD, HIDDEN)
        yield prefix + "attn_output.weight", (HIDDEN, HEADS * HEAD)
        yield prefix + "attn_q_norm.weight", (HEAD,)
        yield prefix + "attn_k_norm.weight", (HEAD,)
        yield prefix + "ffn_norm.weight", (HIDDEN,)
        yield prefix + "ffn_gate_inp.weight", (EXPERTS, HIDDEN)
        yield prefix + "ffn_gate_exps.weight", (EXPERTS, EXPERT_WIDTH, HIDDEN)
        yield prefix + "ffn_up_exps.weight", (EXPERTS, EXPERT_WIDTH, HIDDEN)
        yield prefix + "ffn_down_exps.weight", (EXPERTS, HIDDEN, EXPERT_WIDTH)
    yield "output_norm.weight", (HIDDEN,)
    yield "output.weight", (vocabulary, HIDDEN)


def format_of(name: str, shape: tuple, quant: str, output_quant: str) -> str:
    """The format in which a tensor is stored."""
    if len(shape) == 1 or "ffn_gate_inp" in name:
        return "F32"
    return output_quant if name == "output.weight" else quant


def byte_count(shape: tuple, quant: str) -> int:
    elements = int(numpy.prod(shape))
    return 4 * elements if quant == "F32" else elements // BLOCKS[quant][0] * BLOCKS[quant][1]


def values(generator, name: str, shape: tuple, quant: str) -> numpy.ndarray:
    """What is stored for a tensor, as bytes or as F32."""
    if quant != "F32":
        return random_blocks(generator, quant, int(numpy.prod(shape[:-1])), shape[-1])
    if len(shape) == 1:
        return generator.uniform(0.9, 1.1, shape).astype(numpy.float32)
    return (generator.standard_normal(shape) / shape[-1] ** 0.5).astype(numpy.float32)


def byte_letters() -> list[str]:
    """One printable letter for each of the 256 bytes, as byte-level vocabularies write them: itself if it is printable
    in Latin-1, else the next one from U+0100 on."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = itertools.count(0x100)
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]


def add_tokenizer(writer: gguf.GGUFWriter, vocabulary: int):
    """A byte-level vocabulary: the bytes, pairs of letters, tokens that no text has, and an end."""
    pairs = [(left, right) for left in "etaoinshrdlu" for right in "etaoinshrdlu"]
    words = [*byte_letters(), *(left + right for left, right in pairs)]
    unused = [f"<|unused_{index}|>" for index in range(vocabulary - len(words) - 1)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([*words, *unused, "<|endoftext|>"])
    normal, control = int(gguf.TokenType.NORMAL), int(gguf.TokenType.CONTROL)
    writer.add_token_types([normal] * len(words) + [control] * (len(unused) + 1))
    writer.add_token_merges([f"{left} {right}" for left, right in pairs])
    writer.add_bos_token_id(vocabulary - 1)
    writer.add_eos_token_id(vocabulary - 1)
    writer.add_add_bos_token(False)


def add_shape(writer: gguf.GGUFWriter, layers: int, vocabulary: int):
    writer.add_block_count(layers)
    writer.add_context_length(40960)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(3 * HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_VALUE_HEADS)
    writer.add_key_length(HEAD)
    writer.add_value_length(HEAD)
    writer.add_rope_freq_base(1e6)
    writer.add_layer_norm_rms_eps(EPSILON)
    writer.add_expert_count(EXPERTS)
    writer.add_expert_used_count(EXPERTS_USED)
    writer.add_expert_feed_forward_length(EXPERT_WIDTH)
    writer.add_vocab_size(vocabulary)


def write(path: Path, quant: str, output_quant: str, layers: int, vocabulary: int):
    """Writes the file under another name first: what has the right name is complete."""
    unfinished = path.with_name(path.name + ".part")
    writer = gguf.GGUFWriter(unfinished, "qwen3moe")
    writer.add_name(f"random Qwen3-30B-A3B, {layers} layers, {quant}")
    writer.add_file_type(BLOCKS[quant][2])
    add_shape(writer, layers, vocabulary)
    add_tokenizer(writer, vocabulary)
    stored = [(name, shape, format_of(name, shape, quant, output_quant)) for name, shape in tensors(layers, vocabulary)]
    for name, shape, each in stored:
        raw = gguf.GGMLQuantizationType[each]
        writer.add_tensor_info(name, shape, numpy.dtype(numpy.float32), byte_count(shape, each), raw)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    generator = numpy.random.default_rng(SEED)
    for name, shape, each in stored:
        writer.write_tensor_data(values(generator, name, shape, each))
    writer.close()
    os.replace(unfinished, path)


def describe(path: Path) -> dict:
    """What the comparison needs to know of a file: how much of it one token reads, and the size of its keys and values
    at two bytes each."""
    reader = gguf.GGUFReader(path)

    def number(key: str) -> int:
        return int(reader.get_field(f"{architecture}.{key}").contents())

    architecture = reader.get_field("general.architecture").contents()
    sizes = {tensor.name: int(tensor.n_bytes) for tensor in reader.tensors}
    share = number("expert_used_count") / number("expert_count")
    # A token reads one row of the embedding, not the table, unless the table is the head as well.
    is_tied = "output.weight" not in sizes
    read = sum(
        size * (share if "_exps." in name else 1)
        for name, size in sizes.items() if is_tied or name != "token_embd.weight"
    )
    per_head = number("attention.key_length") + number("attention.value_length")
    return {
        "fileBytes": path.stat().st_size,
        "parameters": sum(int(tensor.n_elements) for tensor in reader.tensors),
        "layers": number("block_count"),
        "bytesReadPerToken": round(read),
        "keyValueBytesPerToken": 2 * number("block_count") * number("attention.head_count_kv") * per_head,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="the file to write")
    parser.add_argument("--describe", type=Path, metavar="FILE", help="say the sizes of a file instead")
    parser.add_argument("--quant", choices=BLOCKS, default="Q4_K")
    parser.add_argument("--output-quant", choices=BLOCKS, help="format of the head (default: that of the rest)")
    parser.add_argument("--layers", type=int, default=12, help="(default %(default)s; the real model has 48)")
    parser.add_argument("--vocabulary", type=int, default=32768, help="(default %(default)s; the real one is 151936)")
    arguments = parser.parse_args()
    if (arguments.out is None) == (arguments.describe is None):
        parser.error("one of --out and --describe is needed")
    if arguments.vocabulary < 512 or arguments.layers < 1:
        parser.error("at least 1 layer and a vocabulary of 512")
    if arguments.describe:
        print(json.dumps(describe(arguments.describe)))
    else:
        output_quant = arguments.output_quant or arguments.quant
        write(arguments.out, arguments.quant, output_quant, arguments.layers, arguments.vocabulary)
    return 0


if __name__ == "__main__":
    sys.exit(main())
