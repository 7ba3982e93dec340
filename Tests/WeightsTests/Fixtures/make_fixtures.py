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


# name: options of the SentencePiece trainer
PIECES = {
    "pieces": dict(byte_fallback=True, add_dummy_prefix=True, remove_extra_whitespaces=False),
    "pieces-bare": dict(byte_fallback=True, add_dummy_prefix=False, remove_extra_whitespaces=False),
    "pieces-unknown": dict(byte_fallback=False, add_dummy_prefix=True, remove_extra_whitespaces=True),
}

# What depends on how spaces and equal scores are treated.
SPACED_TEXTS = [" the", "  the  the", "   ", "the ", "the\n the\n\n  the", "a" * 17, " " * 31 + "x", "ababababa", "hehehehe",
                "the<tool>the <tool> the", "[INST] the [/INST]the", "<s>the</s> the",
                "\u2581the\u2581 the", "e\u0301é", "<0x41>",
                "a<two words>b <two words> <two\u2581words>"]


def sentence_piece(options, some):
    import sentencepiece
    model = io.BytesIO()
    lines = [line for text in CORPUS + MORE_TEXTS + SPACED_TEXTS[:9] for line in text.replace("\0", "").split("\n")]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=model, vocab_size=620, model_type="bpe", character_coverage=0.98,
        normalization_rule_name="identity", allow_whitespace_only_pieces=True, split_digits=True, minloglevel=2,
        control_symbols=["[INST]"], user_defined_symbols=["<tool>", "<two\u2581words>"], num_threads=1, **options)
    pieces = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    count = pieces.vocab_size()
    kind = lambda i: (2 if pieces.is_unknown(i) else 3 if pieces.is_control(i) else 6 if pieces.is_byte(i)
                      else 4 if pieces.id_to_piece(i) in ("<tool>", "<two\u2581words>") else 1)
    kinds = [kind(i) for i in range(count)]
    texts = [pieces.id_to_piece(i) for i in range(count)]
    metadata = {
        "general.architecture": "llama", "tokenizer.ggml.model": "llama", "tokenizer.ggml.pre": "default",
        # Converters write the spaces of user-defined tokens as spaces.
        "tokenizer.ggml.tokens": [t.replace("\u2581", " ") if k == 4 else t for t, k in zip(texts, kinds)],
        "tokenizer.ggml.scores": [pieces.get_score(i) for i in range(count)], "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.bos_token_id": pieces.bos_id(), "tokenizer.ggml.eos_token_id": pieces.eos_id(),
        "tokenizer.ggml.unknown_token_id": pieces.unk_id(),
        "tokenizer.ggml.add_space_prefix": options["add_dummy_prefix"],
        "tokenizer.ggml.remove_extra_whitespaces": options["remove_extra_whitespaces"],
    }
    converted = converted_pieces(texts, kinds, metadata, options)
    marks = [t for t, k in zip(metadata["tokenizer.ggml.tokens"], kinds) if k in (2, 3, 4)]
    rng = random.Random(3)
    lists = [[rng.randrange(3, count) for _ in range(rng.randrange(1, 20))] for _ in range(20)]
    # A model that knows no double spaces decodes none at the beginning, and encodes none either: begin with a word.
    word = pieces.piece_to_id("he")
    lists = [[word] + [i for i in ids if kinds[i] in (1, 6)] for ids in lists[:10]] + [
        [pieces.piece_to_id("\u2581the")] + [i for i in ids if kinds[i] in (1, 6)] for ids in lists[10:]]
    # SentencePiece does not look for control tokens in text, and for others it looks behind the visible space.
    plain = [None if any(mark in text for mark in marks) else pieces.encode(text) for text in some]
    return {
        "metadata": metadata, "texts": some, "pieces": plain,
        "converted": [converted.encode(text, add_special_tokens=False).ids for text in some],
        "special": [[pieces.bos_id()] + ids for ids in plain[:3]],
        # A visible space at the beginning of a text is one space too many for a model that knows no double ones.
        "decoded": [None if text.startswith("\u2581") else ids and pieces.decode(ids)
                    for text, ids in zip(some, plain)],
        "random": [{"ids": i, "text": pieces.decode(i)} for i in lists]}


def converted_pieces(texts, kinds, metadata, options):
    """The tokenizer that the published converter makes of such a vocabulary."""
    from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers
    from transformers.convert_slow_tokenizer import generate_merges
    # The library knows a token that is cut out of the text by one name, here the one with spaces.
    vocabulary = {text: i for i, text in enumerate(metadata["tokenizer.ggml.tokens"])}
    skipped = {text for text, k in zip(texts, kinds) if k in (2, 3, 6)}
    merges = generate_merges(vocabulary, list(zip(texts, metadata["tokenizer.ggml.scores"])), skipped)
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True,
                                     byte_fallback=options["byte_fallback"]))
    steps = []
    if options["remove_extra_whitespaces"]:
        steps += [normalizers.Replace(Regex(r"\A +| +\z"), ""), normalizers.Replace(Regex(" {2,}"), " ")]
    if options["add_dummy_prefix"]:
        steps.append(normalizers.Prepend("\u2581"))
    tokenizer.normalizer = normalizers.Sequence(steps + [normalizers.Replace(" ", "\u2581")])
    for text, k in zip(metadata["tokenizer.ggml.tokens"], kinds):
        if k in (2, 3):
            tokenizer.add_special_tokens([AddedToken(text, normalized=False)])
        if k == 4:
            tokenizer.add_tokens([AddedToken(text, normalized=False)])
    return tokenizer


def sentence_pieces():
    some = texts() + SPACED_TEXTS
    for name, options in PIECES.items():
        save(f"gguf-{name}.json", sentence_piece(options, some))


def save(name, value):
    with open(os.path.join(HERE, name), "w", encoding="utf-8") as f:
        json.dump(value, f, ensure_ascii=False, separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__":
    wanted = sys.argv[1:] or ["byte_levels", "sentence_pieces"]
    for what in wanted:
        {"byte_levels": byte_levels, "sentence_pieces": sentence_pieces}[what]()
