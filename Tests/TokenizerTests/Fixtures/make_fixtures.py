#!/usr/bin/env python3
"""Makes the fixtures of the tokenizer's tests: small tokenizer.json files with golden encodings (by the `tokenizers`
library) and golden renderings of the chat templates in this folder (by `jinja2`, set up as `transformers` does).

    pip install tokenizers jinja2 tiktoken
    make_fixtures.py            # rewrites tokenizer-*.json, golden-*.json beside it
    make_fixtures.py families   # rewrites golden-families.json: the families' own ways to cut text, and tiktoken
    make_fixtures.py deepseek DIRECTORY     # rewrites golden-deepseek.json with encoding_dsv32.py and encoding_dsv4.py
                                            # from there, as DeepSeek-V3.2 and V4 publish them in `encoding`
"""
import datetime
import json
import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))

QWEN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
        r"|\s+(?!\S)|\s+")
LLAMA = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
         r"|\s+(?!\S)|\s+")
DEEPSEEK = [r"\p{N}{1,3}", r"[一-龥぀-ゟ゠-ヿ]+",
            r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
            r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"]

CORPUS = [
    "The queen of the colony lays her eggs; the workers carry them, warm them and guard them.",
    "Numbers: 1, 22, 333, 4444 and 1234567890. Prices: $3.50, 20 %, 7 x 6 = 42!",
    "fn merge(left: &[u8], right: &[u8]) -> Vec<u8> {\n    let mut all = left.to_vec();\n\tall\n}\r\n",
    "I'll say it's what they've said: we'd go, you're here, I'm not. DON'T SHOUT, IT'S LATE.",
    "Größe, façade, naïve, Ωmega, Привет мир, שלום עולם, مرحبا بالعالم, नमस्ते दुनिया, 你好，世界。こんにちは！ 안녕하세요",
    "Emoji: 🐝🐜 👩‍🔬 🇫🇷 ❤️ and marks: e\u0301 a\u0308 \u0915\u094d\u0937.",
    "   leading, trailing   \n\n\n and   inner    spaces\t\ttabs \u00a0 \u3000 odd ones \u2028 end   ",
] * 3


def train(name, pre_tokenizer, specials, vocab_size, ignore_merges=False, normalizer=None, post=None, extra=()):
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer:
        tokenizer.normalizer = normalizer
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, special_tokens=specials, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_tokens([AddedToken(*a, **k) for a, k in extra])
    if post:
        tokenizer.post_processor = post(tokenizer)
    path = os.path.join(HERE, f"tokenizer-{name}.json")
    tokenizer.save(path, pretty=False)
    with open(path, "a") as f:
        f.write("\n")
    return tokenizer


def tokenizers():
    from tokenizers import Regex, normalizers
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Punctuation, Sequence, Split, WhitespaceSplit
    from tokenizers.processors import ByteLevel as ByteLevelProcessor
    from tokenizers.processors import Sequence as Processors
    from tokenizers.processors import TemplateProcessing
    bare = ByteLevel(add_prefix_space=False, use_regex=False)
    split = lambda *patterns: [Split(Regex(p), "isolated") for p in patterns]
    begin = lambda t: Processors([ByteLevelProcessor(trim_offsets=False), TemplateProcessing(
        single="<|begin|> $A <|end|>", special_tokens=[("<|begin|>", t.token_to_id("<|begin|>")),
                                                       ("<|end|>", t.token_to_id("<|end|>"))])])
    yield "qwen", train("qwen", Sequence(split(QWEN) + [bare]), ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], 420,
                        normalizer=normalizers.NFC(),
                        extra=[(("<think>",), dict(special=False, normalized=False)),
                               (("</think>",), dict(special=False, normalized=False))])
    yield "llama", train("llama", Sequence(split(LLAMA) + [bare]), ["<|begin|>", "<|end|>"], 400, ignore_merges=True,
                         post=begin)
    yield "deepseek", train("deepseek", Sequence(split(*DEEPSEEK) + [bare]),
                            ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>"], 400)
    yield "gpt2", train("gpt2", ByteLevel(add_prefix_space=True, use_regex=True), ["<|endoftext|>"], 380)
    # Everything odd in one: strips, single words, normalised tokens, other behaviours.
    yield "odd", train(
        "odd", Sequence([Split("-", "merged_with_previous"), Split(Regex(r"[;:]"), "merged_with_next"),
                         Split(Regex(r"[aeiou]+"), "contiguous"), Split("_", "removed"), Digits(individual_digits=True),
                         Punctuation("isolated"), Split(Regex(r"[^\s]+|\s+"), "removed", invert=True), bare]),
        ["<s>"], 360, normalizer=normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase(),
                                                      normalizers.Replace(Regex("q+"), "k")]),
        extra=[(("<left>",), dict(lstrip=True, normalized=False)), (("<right>",), dict(rstrip=True, normalized=False)),
               (("word",), dict(single_word=True, normalized=False)), (("Queen",), dict(normalized=True)),
               (("<lefter>",), dict(lstrip=True, rstrip=True, normalized=False)), (("bee",), dict(normalized=True)),
               (("bees",), dict(normalized=True))])
    yield from text_tokenizers()
    yield "words", train("words", Sequence([WhitespaceSplit(), Digits(individual_digits=False), bare]), ["<s>"], 340)


def text_tokenizers():
    """Vocabularies of text, not of bytes, as converters of SentencePiece models write them."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, trainers
    from tokenizers.pre_tokenizers import Metaspace, Sequence, Split
    from tokenizers.processors import TemplateProcessing
    legacy = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    kinds = {
        "pieces": (True, legacy, None, decoders.Sequence(steps)),
        "pieces-first": (True, None, Metaspace("▁", "first", split=False), decoders.Sequence(steps)),
        "pieces-split": (False, None, Sequence([Metaspace("▁", "always"), Split(Regex("[0-9]"), "isolated")]),
                         decoders.Metaspace("▁", "always")),
        "pieces-bare": (True, normalizers.Replace(" ", "▁"), Split(" ", "merged_with_previous"),
                        decoders.Sequence(steps[:3])),
    }
    for name, (falls_back, normalizer, pre_tokenizer, decoder) in kinds.items():
        tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=falls_back))
        # The library learns no pairs across spaces unless it is made to cut there.
        tokenizer.pre_tokenizer = Metaspace("▁", "always")
        # In ASCII, so that most of the texts hold characters that the vocabulary lacks.
        tokenizer.train_from_iterator([text for text in CORPUS if text.isascii()], trainers.BpeTrainer(
            vocab_size=380, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False))
        document = json.loads(tokenizer.to_str())
        vocabulary = document["model"]["vocab"]
        if falls_back:
            vocabulary.update({f"<0x{byte:02X}>": len(vocabulary) + byte for byte in range(256)})
        # Canonically equivalent, and two tokens all the same.
        for entry in ["A", "\u212b", "\u00c5", "A\u030a", "\u030a"]:
            vocabulary.setdefault(entry, len(vocabulary))
        document["model"]["merges"].append(["A", "\u030a"])
        tokenizer = Tokenizer.from_str(json.dumps(document))
        tokenizer.normalizer, tokenizer.pre_tokenizer, tokenizer.decoder = normalizer, pre_tokenizer, decoder
        tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
        path = os.path.join(HERE, f"tokenizer-{name}.json")
        tokenizer.save(path, pretty=False)
        with open(path, "a") as f:
            f.write("\n")
        yield name, tokenizer


TEXTS = CORPUS[:7] + [
    "", " ", "  ", "\n", "\r\n\r\n", "\u0000", "\u0001\u0002", "a", "é", "e\u0301", "\ufeff", "\ufffd", "🐦", "👩‍👩‍👧‍👦",
    "word", "sword words word, word_ word", "a <left> b   <left>c <right>   d<right>\n\n e <lefter>  <left>  f",
    "the Queen, QUEEN, queen; bees bee BEES", "a-b--c;d::e aeiou_xyz qqq ﬁ ² ½ Ⅷ 12345 ٣٤",
    "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n", "<|im_start|<|im_end|>|>",
    "<｜User｜>你好<｜Assistant｜>ok<｜end▁of▁sentence｜>", "<|begin|>x<|end|>", "I'M I'm i'Ll 'S 'x ''s",
    "x" * 200, "ab" * 150, " " * 120 + "x", "\n" * 60 + " \n x", "1" * 50, "१२३४", "中文字123abc中文", "!!!???...",
    "tab\tseparated\tvalues\n", "CamelCaseIdentifiers snake_case kebab-case", "https://example.org/a?b=c&d=%20#e",
    "{\"key\": [1, 2.5, null, true], \"other\": \"va\\\"lue\"}", "\u180e\u200b\u2009\u202f\u0085x", "ⅷ ǅ ŉ ß ẞ İ ı",
    "\u212b\u00c5 A\u030a A \u030a",
    "<s> the <s>the</s>  the", "▁the ▁ the", "〇〡 々", "<0x41><unk>",
    "שָׁלוֹם", "\U000e0041\U0001f3f4", "ａｂｃ１２３", "가각 각",
]


def random_text(rng):
    pools = [lambda: chr(rng.randrange(32, 127)), lambda: rng.choice(" \n\t\r  "), lambda: chr(rng.randrange(0xa0, 0x250)),
             lambda: chr(rng.randrange(0x300, 0x370)), lambda: chr(rng.randrange(0x370, 0x600)),
             lambda: chr(rng.randrange(0x4e00, 0x9fa6)), lambda: chr(rng.randrange(0x3040, 0x3100)),
             lambda: chr(rng.randrange(0x1f300, 0x1f650)),
             lambda: rng.choice(["'s", "'LL", "<|im_end|>", "<left>", "word"]),
             lambda: chr(rng.randrange(0x900, 0x980)), lambda: chr(rng.randrange(0xac00, 0xd7a4)),
             lambda: str(rng.randrange(99999)),
             lambda: chr(rng.randrange(1, 32)), lambda: chr(rng.randrange(0x2000, 0x2070)), lambda: "the colony "]
    some = rng.sample(pools, rng.randrange(1, 5))
    return "".join(rng.choice(some)() for _ in range(rng.randrange(1, 40)))


def golden_tokens():
    rng = random.Random(20)
    texts = TEXTS + [random_text(rng) for _ in range(25)]
    golden = {"texts": texts, "tokenizers": {}}
    for name, tokenizer in tokenizers():
        ids = [tokenizer.encode(t, add_special_tokens=False).ids for t in texts]
        count = tokenizer.get_vocab_size()
        # Where bytes are tokens, the library makes all of a run U+FFFD if some of it is no text.
        is_byte = [(tokenizer.id_to_token(i) or "").startswith("<0x") for i in range(count + 3)]
        some = [i for i in range(count + 3) if not is_byte[i]]
        lists = [[rng.choice(some) for _ in range(rng.randrange(1, 30))] for _ in range(12)]
        golden["tokenizers"][name] = {
            "ids": ids,
            "with_special": [tokenizer.encode(t).ids for t in texts[:4]],
            # What differs from the text, by index: unknown bytes never do, normalised and removed text does.
            "decoded": {k: d for k, (t, i) in enumerate(zip(texts, ids))
                        if (d := tokenizer.decode(i, skip_special_tokens=False)) != t},
            "random": [{"ids": i, "text": tokenizer.decode(i, skip_special_tokens=False),
                        "skipped": tokenizer.decode(i, skip_special_tokens=True)} for i in lists]}
    save("golden-tokens.json", golden)


def save(name, value):
    with open(os.path.join(HERE, name), "w", encoding="utf-8") as f:
        json.dump(value, f, ensure_ascii=False, separators=(",", ":"))
        f.write("\n")


def environment():
    import jinja2
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        tags = {"generation"}

        def parse(self, parser):
            next(parser.stream)
            return parser.parse_statements(["name:endgeneration"], drop_needle=True)

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda f: datetime.datetime.now().strftime(f)
    return env


def golden_templates():
    env = environment()
    conversations = json.load(open(os.path.join(HERE, "conversations.json"), encoding="utf-8"))
    cases = []
    for name in sorted(f for f in os.listdir(os.path.join(HERE, "templates")) if f.endswith(".jinja")):
        template = env.from_string(open(os.path.join(HERE, "templates", name), encoding="utf-8", newline="").read())
        for conversation in conversations:
            variables = {"tools": None, "documents": None, "bos_token": "<bos>", "eos_token": "<eos>",
                         "add_generation_prompt": False, **conversation["input"]}
            case = {"template": name, "conversation": conversation["name"]}
            try:
                case["text"] = template.render(**variables)
            except Exception as error:
                case["error"] = str(error)
            cases.append(case)
    save("golden-templates.json", cases)


def golden_snippets():
    env = environment()
    snippets = json.load(open(os.path.join(HERE, "snippets.json"), encoding="utf-8"))
    cases = []
    for source in snippets["sources"]:
        case = {"source": source}
        try:
            case["text"] = env.from_string(source).render(**snippets["variables"])
        except Exception as error:
            case["error"] = f"{type(error).__name__}: {error}"
        cases.append(case)
    save("golden-snippets.json", {"variables": snippets["variables"], "cases": cases})


def family_texts():
    """Text in many scripts, with runs of white space, digits, contractions and marks, that no family cuts alike."""
    rng = random.Random(7)
    word = lambda low, high: lambda: "".join(chr(rng.randrange(low, high)) for _ in range(rng.randrange(1, 6)))
    one_of = lambda *texts: lambda: rng.choice(texts)
    scripts = [(97, 123), (65, 91), (0xc0, 0x180), (0x3b1, 0x3c9), (0x410, 0x450), (0x5d0, 0x5eb), (0x621, 0x64b),
               (0x905, 0x940), (0xe01, 0xe3b), (0x300, 0x330), (0x4e00, 0x5000), (0x3400, 0x3500), (0x20000, 0x20100),
               (0x3041, 0x3097), (0x30a1, 0x30fb), (0xac00, 0xad00), (0x1100, 0x1200), (0xff01, 0xff5e),
               (0x1f300, 0x1f400), (33, 48), (0x2010, 0x2028), (0x2190, 0x21a0), (0x1d400, 0x1d440)]
    pools = [word(low, high) for low, high in scripts] + [
        one_of(" ", "  ", "\n", "\n\n", "\t", "\r\n", "   \n ", "\u00a0", "\u3000", "\u180e", "\x85", "\x0b"),
        one_of("'s", "'S", "'LL", "’s", "'ve", "'re", "'d", "'m", "'T", "'ſ"),
        lambda: str(rng.randrange(10 ** rng.randrange(1, 12))), one_of("²³½Ⅷ", "٣٤५", "e\u0301", "a\u0308\u0323"),
        one_of("<think>", "</think>", "<|im_end|>", "/", "//\n", "!/\r\n", "👩‍👩‍👧", "🇫🇷", "❤️"),
        lambda: "camelCaseHTTPServer", lambda: "The Queen", one_of("\u1106\u1176", "\U00020067\u0307"),
    ]
    for _ in range(60):
        some = rng.sample(pools, rng.randrange(2, 7))
        yield "".join(rng.choice(some)() for _ in range(rng.randrange(20, 60)))


def golden_families():
    """By `tokenizers`, and for a `tiktoken.model` by `tiktoken`."""
    import base64

    import tiktoken
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, trainers
    from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split
    marks = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
    upper, lower = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
    start = r"[^\r\n\p{L}\p{N}]?"
    spaces = r"\s*[\r\n]+|\s+(?!\S)|\s+"
    o200k = (rf"{start}{upper}*{lower}+{marks}?|{start}{upper}+{lower}*{marks}?|\p{{N}}{{1,3}}"
             rf"| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{spaces}")
    kimi = r"[\p{Han}]+|" + o200k.replace(r"\p{M}]", r"\p{M}&&[^\p{Han}]]").replace(r"[\r\n/]*", r"[\r\n]*")
    qwen35 = (rf"{marks}|{start}[\p{{L}}\p{{M}}]+|\p{{N}}| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*|{spaces}")
    # Cuts, whether text is composed first, whether whole pieces are looked up first.
    families = {"deepseek-v3": (DEEPSEEK, False, False), "glm": ([LLAMA], False, True), "qwen3": ([QWEN], True, False),
                "qwen3.5": ([qwen35], True, False), "gpt-oss": ([o200k], False, True),
                "minimax-m2": ([o200k], False, False), "kimi": ([kimi], False, True)}
    texts = list(family_texts())
    golden = {"texts": texts, "families": {}}
    for name, (cuts, is_composed, ignores_merges) in families.items():
        tokenizer = Tokenizer(models.BPE(ignore_merges=ignores_merges))
        splits = [Split(Regex(cut), "isolated") for cut in cuts]
        tokenizer.pre_tokenizer = Sequence(splits + [ByteLevel(add_prefix_space=False, use_regex=False)])
        tokenizer.decoder = decoders.ByteLevel()
        if is_composed:
            tokenizer.normalizer = normalizers.NFC()
        tokenizer.train_from_iterator(texts + CORPUS, trainers.BpeTrainer(
            vocab_size=700, special_tokens=["<|endoftext|>", "<|im_end|>"], show_progress=False,
            initial_alphabet=ByteLevel.alphabet()))
        tokenizer.add_tokens([AddedToken(mark, special=False, normalized=False) for mark in ["<think>", "</think>"]])
        golden["families"][name] = {
            "tokenizer": json.loads(tokenizer.to_str()),
            "ids": [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]}
    # The same vocabulary as tiktoken has it: bytes in the order of merging, special tokens behind them.
    vocabulary = golden["families"]["kimi"]["tokenizer"]["model"]["vocab"]
    alphabet = byte_alphabet()
    entries = sorted((number, name) for name, number in vocabulary.items() if not name.startswith("<|"))
    ranks = {bytes(alphabet[character] for character in name): rank for rank, (_, name) in enumerate(entries)}
    special = {"<|im_end|>": len(ranks) + 2, "<think>": len(ranks) + 3, "</think>": len(ranks) + 4}
    encoding = tiktoken.Encoding("kimi", pat_str=kimi, mergeable_ranks=ranks, special_tokens=special)
    golden["families"]["kimi-tiktoken"] = {
        "tiktoken": "".join(f"{base64.b64encode(token).decode()} {rank}\n" for token, rank in ranks.items()),
        "configuration": {
            "auto_map": {"AutoTokenizer": ["tokenization_kimi.TikTokenTokenizer", None]},
            "added_tokens_decoder": {str(number): {"content": content, "special": "think" not in content}
                                     for content, number in special.items()}},
        "ids": [encoding.encode(text, allowed_special="all") for text in texts]}
    save("golden-families.json", golden)


def byte_alphabet():
    """The characters that stand for bytes in byte-level vocabularies."""
    printable = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(others)}


# Our own words in the places where the published programs have theirs.
TOOL_WORDS = """# Tools {{in braces}}

Call them in <{dsml_token}calls>; think in {thinking_start_token}...{thinking_end_token}.

{tool_schemas}

That is all.
"""
FORMAT_WORDS = "# Form\nAs in: {schema}"
EFFORT_WORDS = "Effort: all of it.\nThink \"long\" and \\ deep.\n\n"
WORDS = {
    "dsv32": f'TOOLS_SYSTEM_TEMPLATE = """{TOOL_WORDS}"""\n\nother: str = "x"\n'
             'response_format_template: str = "# Form\\nAs in: {schema}"\n',
    "dsv4": '"""About."""\nimport json\n\nREASONING_EFFORT_MAX = (\n    "Effort: all of it.\\n"  # one\n'
            '    "Think \\"long\\" and \\\\ deep.\\n\\n"\n)\n\nTOOLS_TEMPLATE: str = """' + TOOL_WORDS + '"""\n'
            'response_format_template: str = (\n    "# Form\\n"\n    "As in: {schema}"\n)\n',
}


def deepseek_conversations():
    """Conversations with the variables of the template; `tools` go to the message that leads."""
    ask = lambda text, **more: {"role": "user", "content": text, **more}
    say = lambda text, **more: {"role": "assistant", "content": text, **more}
    system = {"role": "system", "content": "Be brief."}
    tools = [{"type": "function", "function": {"name": "weather", "description": "Où? 東京", "parameters": {
        "type": "object", "properties": {"place": {"type": "string"}, "days": {"type": "integer"}}}}}]
    call = lambda name, arguments, number: {
        "id": f"call{number}", "type": "function",
        "function": {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)}}
    calls = [call("weather", {"place": "Köln", "days": 2, "deep": {"a": [1, None, True, 0.5]}}, 1), call("noop", {}, 2)]
    result = lambda text, number: {"role": "tool", "content": text, "tool_call_id": f"call{number}"}
    yield "one question", [ask("What is 2+2?")], None
    yield "system", [system, ask("What is 2+2?")], None
    yield "turns", [system, ask("hello"), say("Hello!", reasoning_content="They greet."), ask("1+1=?")], None
    yield "answered", [ask("hi"), say("Hello!", reasoning_content="They greet.")], None
    at_length = {"role": "system", "content": "Now at length."}
    yield "several systems", [system, ask("a"), say("b"), at_length, ask("c")], None
    yield "tools", [system, ask("Rain?")], tools
    yield "tools without system", [ask("Rain?")], tools
    yield "calls", [system, ask("Rain?"), say("I look.", reasoning_content="Look.", tool_calls=calls)], tools
    yield "results", [system, ask("Rain?"), say("", reasoning_content="Look.", tool_calls=calls), result("wet", 1),
                      result("done", 2)], tools
    yield "results in another order", [ask("Rain?"), say(None, reasoning_content="Look.", tool_calls=calls),
                                       result("done", 2), result("wet", 1)], None
    yield "after results", [ask("Rain?"), say("", reasoning_content="Look.", tool_calls=calls), result("wet", 1),
                            result("done", 2), say("It rains.", reasoning_content="So."), ask("And?")], tools
    yield "after results, without tools", [
        ask("Rain?"), say("", reasoning_content="Look.", tool_calls=calls), result("wet", 1), result("done", 2),
        say("It rains.", reasoning_content="So."), ask("And?")], None
    developer = {"role": "developer", "content": "Search."}
    yield "developer", [system, developer, say("a"), ask("b"), say("c"), ask("d")], None
    yield "developer last", [{**developer, "tools": tools}], None
    yield "format", [{**system, "response_format": {"type": "object"}}, ask("x")], None
    yield "two questions", [ask("a"), ask("b")], None
    reminder = {"role": "latest_reminder", "content": "It is Monday."}
    yield "reminder", [system, reminder, ask("a"), say("b"), ask("c")], None
    for task in ["action", "query", "authority", "domain", "title", "read_url"]:
        yield f"task {task}", [system, ask("a", task=task)], None
    yield "task and answer", [ask("a", task="title"), say("A"), ask("b")], None
    yield "not ended", [ask("a"), say("b", wo_eos=True)], None


def golden_deepseek(directory):
    sys.path.insert(0, directory)
    import encoding_dsv32
    import encoding_dsv4
    encoding_dsv32.TOOLS_SYSTEM_TEMPLATE = encoding_dsv4.TOOLS_TEMPLATE = TOOL_WORDS
    encoding_dsv4.REASONING_EFFORT_MAX = EFFORT_WORDS
    encoding_dsv32.response_format_template = encoding_dsv4.response_format_template = FORMAT_WORDS
    cases = []
    for name, messages, tools in deepseek_conversations():
        for version, program in [("dsv32", encoding_dsv32), ("dsv4", encoding_dsv4)]:
            for variables in [{"thinking": False}, {"thinking": True}, {"thinking": True, "drop_thinking": False},
                              {"thinking": True, "reasoning_effort": "max"}]:
                given = [dict(message) for message in messages]
                if tools and given[0]["role"] == "system":
                    given[0]["tools"] = tools
                elif tools:
                    given.insert(0, {"role": "system", "content": "", "tools": tools})
                more = {"reasoning_effort": variables.get("reasoning_effort")} if version == "dsv4" else {}
                case = {"version": version, "name": name, "messages": messages, "tools": tools, "variables": variables}
                try:
                    case["text"] = program.encode_messages(
                        given, "thinking" if variables["thinking"] else "chat",
                        drop_thinking=variables.get("drop_thinking", True), **more)
                except Exception as error:
                    if "out of range" in str(error):
                        continue  # It counts the messages that it left out.
                    case["error"] = str(error) or type(error).__name__
                cases.append(case)
    save("golden-deepseek.json", {"words": WORDS, "cases": cases})


if __name__ == "__main__":
    if sys.argv[1:2] == ["deepseek"]:
        sys.exit(golden_deepseek(sys.argv[2]))
    wanted = sys.argv[1:] or ["tokens", "templates", "snippets"]
    for what in wanted:
        {"tokens": golden_tokens, "templates": golden_templates, "snippets": golden_snippets,
         "families": golden_families}[what]()
