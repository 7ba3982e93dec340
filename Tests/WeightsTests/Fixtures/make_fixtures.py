#!/usr/bin/env python3
"""Makes the fixtures of the tests of GGUF tokenizers: for each family a small tokenizer by the published libraries, the
metadata that a GGUF file would have for it, and what the libraries make of hard texts.

    pip install tokenizers sentencepiece protobuf
    make_fixtures.py            # rewrites gguf-*.json beside it

The expressions are those of the models' own files, written down here a second time and in their own notation: the
tests would not notice a mistake that both sides took from one table.
"""
import io
import json
import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "TokenizerTests", "Fixtures"))
from make_fixtures import CORPUS, TEXTS, random_text  # noqa: E402  (the tokenizer's own fixtures)

CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
CL100K = (CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = CL100K.replace("{1,3}", "")
QWEN35 = (CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)"
          r"|\s+")
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
O200K = (rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+{CONTRACTIONS}?|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*{CONTRACTIONS}?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
TEKKEN = O200K.replace(CONTRACTIONS + "?", "").replace("{1,3}", "")
KIMI = (r"[\p{Han}]+|" + O200K.replace(r"\p{M}]", r"\p{M}&&[^\p{Han}]]").replace(r"[\r\n/]*", r"[\r\n]*"))
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
DEEPSEEK_V3 = [r"\p{N}{1,3}", r"[一-龥぀-ゟ゠-ヿ]+",
               r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
               r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"]
IDEOGRAPHS = "[一-龥ࠀ-一가-\ud7ff]+"
# Letters whose lookalikes are their canonical equivalents are written as numbers.
LETTERS = ("A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\u1f7d"
           "ᾀ-ᾴᾶ-ᾼ\u1fbeῂ-ῄῆ-ῌῐ-\u1fd3ῖ-\u1fdbῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\u2126ℨ\u212a-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎ"
           "ꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃")
DEEPSEEK_LLM = [r"[\r\n]", rf"\s?[{LETTERS}]+", r"\s?[!-/:-~！-／：-～‘-‟　-。]+", r"\s+$", IDEOGRAPHS]
DEEPSEEK_CODER = [r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", IDEOGRAPHS]

# name: (expressions or "digits" in order, NFC, whole pieces first, begin token)
FAMILIES = {
    "default": ([r"[\p{P}$+<=>^~|]+", GPT2, r"\p{N}+", r"[0-9][0-9][0-9]"], False, False, False),
    "deepseek-coder": (DEEPSEEK_CODER + ["digits"], False, False, True),
    "deepseek-llm": (DEEPSEEK_LLM + ["digits"], False, False, True),
    "deepseek-r1-qwen": ([QWEN2], True, False, True),
    "deepseek-v3": (DEEPSEEK_V3, False, False, True),
    "glm4": ([CL100K], False, True, False),
    "gpt-2": (["words"], False, False, False),
    "gpt-4o": ([O200K], False, True, False),
    "kimi-k2": ([KIMI], False, True, False),
    "llama-bpe": ([CL100K], False, True, True),
    "minimax-m2": ([O200K], False, False, False),
    "olmo": (["words"], True, False, False),
    "qwen2": ([QWEN2], True, False, False),
    "qwen35": ([QWEN35], True, False, False),
    "smollm": (["digits", "words"], False, False, False),
    "tekken": ([TEKKEN], False, True, True),
}

MORE_TEXTS = [
    "DON'T don't Don'ts HTTPServer camelCase ÉCOLEécole ДокументПродажи word'S WORD'LL a/b//\n/c",
    "cafe\u0301 e\u0301tude \u0915\u0940 \u0bb5\u0bc6 a\u20dd 1\u20e3 \u0301", "漢字かなカナ漢字abc漢字 漢 字〇々", "x\u0000y\u0000\u0000",
    "<|user|>hello<|end|> <|tool|>tool[PAD500]<|end|>", " unreachable unreachable\tunreachable", "½¼ ٠١٢٣٤ 𝟘𝟙𝟚 ⅫⅩ 12 345 6789",
    "end of line   \nend   \r\n  end\t", "\u1f7d\u03ce\u1fbe\u03b9\u2126\u03a9\u212aK Ωμέγα ῼ", "ſ's 'ſ 'ſſ K'S K'K",
]


def texts():
    rng = random.Random(5)
    short = [text for text in TEXTS if len(text) <= 130]
    return short + MORE_TEXTS + [random_text(rng) for _ in range(15)]


def byte_level(name, cuts, composed, whole, begin):
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from tokenizers import trainers
    steps = []
    for cut in cuts:
        if cut == "digits":
            steps.append(pre_tokenizers.Digits(individual_digits=True))
        elif cut != "words":
            steps.append(pre_tokenizers.Split(Regex(cut), "isolated"))
    steps.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex="words" in cuts))
    tokenizer = Tokenizer(models.BPE(ignore_merges=whole))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    tokenizer.decoder = decoders.ByteLevel()
    if composed:
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.train_from_iterator(CORPUS + MORE_TEXTS, trainers.BpeTrainer(
        vocab_size=420, special_tokens=["<|begin|>", "<|end|>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    document = json.loads(tokenizer.to_str())
    # No merge leads to this one: only tokenizers that look for whole pieces first find it.
    document["model"]["vocab"]["Ġunreachable"] = len(document["model"]["vocab"])
    tokenizer = Tokenizer.from_str(json.dumps(document))
    tokenizer.add_special_tokens([AddedToken("<|user|>", normalized=False)])
    tokenizer.add_tokens([AddedToken("<|tool|>", normalized=False), AddedToken("  word  ", normalized=False)])
    if begin:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<|begin|> $A", special_tokens=[("<|begin|>", tokenizer.token_to_id("<|begin|>"))])
    document = json.loads(tokenizer.to_str())
    kinds = {token["content"]: 3 if token["special"] else 4 for token in document["added_tokens"]}
    tokens = [text for text, _ in sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])]
    metadata = {
        "general.architecture": "qwen3moe", "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": name,
        "tokenizer.ggml.tokens": tokens + ["[PAD500]"],
        "tokenizer.ggml.token_type": [kinds.get(token, 1) for token in tokens] + [5],
        "tokenizer.ggml.merges": [" ".join(merge) for merge in document["model"]["merges"]],
        "tokenizer.ggml.bos_token_id": tokenizer.token_to_id("<|begin|>"),
        "tokenizer.ggml.eos_token_id": tokenizer.token_to_id("<|end|>"),
        "tokenizer.ggml.add_bos_token": begin,
    }
    return metadata, lambda text, special: tokenizer.encode(text, add_special_tokens=special).ids, \
        lambda ids: tokenizer.decode(ids, skip_special_tokens=False)


def golden(name, metadata, encode, decode, some):
    rng = random.Random(name)
    count = len(metadata["tokenizer.ggml.tokens"])
    ids = [encode(text, False) for text in some]
    # Of the last token, which is not in use, the library knows nothing.
    lists = [[rng.randrange(count - 1) for _ in range(rng.randrange(1, 20))] for _ in range(8)]
    save(f"gguf-{name}.json", {
        "metadata": metadata, "ids": ids, "special": [encode(text, True) for text in some[:3]],
        "decoded": {k: d for k, (t, i) in enumerate(zip(some, ids)) if (d := decode(i)) != t},
        "random": [{"ids": i, "text": decode(i)} for i in lists]})


def byte_levels():
    some = texts()
    save("gguf-texts.json", some)
    for name, family in FAMILIES.items():
        golden(name, *byte_level(name, *family), some)


def save(name, value):
    with open(os.path.join(HERE, name), "w", encoding="utf-8") as f:
        json.dump(value, f, ensure_ascii=False, separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__":
    wanted = sys.argv[1:] or ["byte_levels"]
    for what in wanted:
        {"byte_levels": byte_levels}[what]()
