#!/usr/bin/env python3
"""Models of transformers that weft writes as GGUF: against llama.cpp's converter and llama.cpp itself, where .cache/llama has them (run.sh installs it where npm can), and read back. Needs a built apps/cli and tests/golden.

Small random models of every architecture that weft writes, and of every way to scale a rotary embedding. Of each: metadata and tensors are those of llama.cpp's converter, llama.cpp's next token is that
of transformers, weft computes transformers' logits straight from the GGUF file, and as a folder again transformers does. The last line is the sum: "N passed, N failed, N skipped".
"""
import json, logging, os, pathlib, random, subprocess, sys, tempfile, traceback, warnings

os.environ["HF_HUB_OFFLINE"] = "1"
warnings.filterwarnings("ignore")
import numpy as np
import torch
import transformers as t
from tokenizers import Tokenizer, models, pre_tokenizers

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = pathlib.Path(tempfile.mkdtemp(prefix="weft-gguf-models-"))
MODULE = ROOT / ".cache/llama/node_modules/node-llama-cpp"
# The sources of the very llama.cpp that the package has binaries of: its converter, and the gguf-py that belongs to it.
SOURCES = ROOT / ".cache/llama.cpp"
if SOURCES.exists():
    sys.path[:0] = [str(SOURCES), str(SOURCES / "gguf-py")]
import gguf

t.utils.logging.disable_progress_bar()
t.utils.logging.set_verbosity_error()
torch.set_num_threads(1)
passed = failed = skipped = 0


def check(name, ok, more=""):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    print(("ok  " if ok else "FAIL"), name, more, flush=True)


def weft(*argv):
    return subprocess.run(["node", ROOT / "apps/cli/dist/weft.js", *map(str, argv)], capture_output=True, text=True)


def llama(what, **rest):
    ran = subprocess.run(["node", ROOT / "tests/python/llama.mjs", json.dumps({"module": str(MODULE), "what": what, **rest}, default=str)], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


VOCAB = 262
IDS = [5, 66, 7, 200, 3, 4, 120, 9, 31, 8, 77, 12]


def tokenizer(folder):
    """Byte-level BPE with a token for each byte, some merges, and tokens of its own."""
    letters = list(pre_tokenizers.ByteLevel.alphabet())
    vocab = {token: i for i, token in enumerate(["<|end|>", *sorted(letters), "th", "Ġt", "in", "er", "the"])}
    own = Tokenizer(models.BPE(vocab=vocab, merges=[("t", "h"), ("Ġ", "t"), ("i", "n"), ("e", "r"), ("th", "e")]))
    own.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    own.add_special_tokens(["<|end|>"])
    t.PreTrainedTokenizerFast(tokenizer_object=own, eos_token="<|end|>").save_pretrained(folder)


SMALL = dict(vocab_size=VOCAB, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256, pad_token_id=None, bos_token_id=None, eos_token_id=0)
NAMELESS = dict(pad_token_id=None, bos_token_id=None, eos_token_id=0)
ROPE = dict(rope_theta=10000.0)
LLAMA3 = dict(ROPE, rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32)
# llama.cpp goes by the length of the context that is made, transformers by that of the text: short for both.
LONGROPE = dict(ROPE, rope_type="longrope", original_max_position_embeddings=1024, short_factor=[1.0, 1.1, 1.2, 1.5], long_factor=[1.0, 2.0, 3.0, 5.5])
LONG = {**SMALL, "max_position_embeddings": 4096}
GEMMA = dict(head_dim=16, query_pre_attn_scalar=16, sliding_window=8)


def small_models():
    """Names, models."""
    llama_of = lambda **rope: t.LlamaForCausalLM(t.LlamaConfig(**SMALL, rope_parameters={**ROPE, **rope}))
    yield "llama", t.LlamaForCausalLM(t.LlamaConfig(**SMALL, attention_bias=True))
    yield "llama, linear", llama_of(rope_type="linear", factor=4.0)
    yield "llama, yarn", llama_of(rope_type="yarn", factor=4.0, original_max_position_embeddings=64)
    yield "llama, yarn with everything", llama_of(rope_type="yarn", factor=4.0, original_max_position_embeddings=64, attention_factor=1.5, beta_fast=16.0, beta_slow=2.0)
    yield "llama, llama3", t.LlamaForCausalLM(t.LlamaConfig(**SMALL, tie_word_embeddings=True, rope_parameters=LLAMA3))
    yield "llama, longrope", t.LlamaForCausalLM(t.LlamaConfig(**LONG, rope_parameters=LONGROPE))
    yield "mistral", t.MistralForCausalLM(t.MistralConfig(**SMALL, sliding_window=None))
    yield "qwen2", t.Qwen2ForCausalLM(t.Qwen2Config(**SMALL))
    yield "qwen3", t.Qwen3ForCausalLM(t.Qwen3Config(**SMALL, head_dim=16))
    yield "smollm3", t.SmolLM3ForCausalLM(t.SmolLM3Config(**{**SMALL, "num_hidden_layers": 5}))
    yield "phi3", t.Phi3ForCausalLM(t.Phi3Config(**SMALL))
    yield "phi3, longrope", t.Phi3ForCausalLM(t.Phi3Config(**LONG, original_max_position_embeddings=1024, rope_parameters=LONGROPE))
    yield "gemma2", t.Gemma2ForCausalLM(t.Gemma2Config(**{**SMALL, "num_hidden_layers": 3}, **GEMMA, attn_logit_softcapping=3.0, final_logit_softcapping=4.0))
    yield "gemma3", t.Gemma3ForCausalLM(t.Gemma3TextConfig(**{**SMALL, "num_hidden_layers": 7}, **GEMMA))
    yield "gemma3, linear, a pattern of its own", t.Gemma3ForCausalLM(t.Gemma3TextConfig(**SMALL, **GEMMA, layer_types=["full_attention", "sliding_attention"], rope_parameters={"full_attention": dict(rope_type="linear", factor=8.0, rope_theta=1e6), "sliding_attention": dict(rope_type="default", rope_theta=2e4)}))
    yield "gpt2", t.GPT2LMHeadModel(t.GPT2Config(vocab_size=VOCAB, n_embd=32, n_layer=2, n_head=4, n_positions=256, n_ctx=256, **NAMELESS))
    yield "gpt2, untied", t.GPT2LMHeadModel(t.GPT2Config(vocab_size=VOCAB, n_embd=32, n_layer=2, n_head=4, n_positions=256, n_ctx=256, tie_word_embeddings=False, **NAMELESS))
    yield "mamba", t.MambaForCausalLM(t.MambaConfig(vocab_size=VOCAB, hidden_size=32, state_size=8, num_hidden_layers=2, **NAMELESS))
    yield "mamba, untied", t.MambaForCausalLM(t.MambaConfig(vocab_size=VOCAB, hidden_size=32, state_size=16, conv_kernel=3, time_step_rank=4, num_hidden_layers=2, tie_word_embeddings=False, **NAMELESS))
    yield "mamba2", t.Mamba2ForCausalLM(t.Mamba2Config(vocab_size=VOCAB, hidden_size=32, state_size=8, num_hidden_layers=2, num_heads=8, head_dim=8, n_groups=2, **NAMELESS))


def convert(folder, out):
    """What llama.cpp's converter writes of a folder in f32, without a tokenizer: it knows those of published models by what they make of one text."""
    import conversion
    from conversion.base import ModelBase

    logging.disable(logging.CRITICAL)
    hparams = ModelBase.load_hparams(folder, False)
    kind = conversion.get_model_class(hparams["architectures"][0]) if hasattr(conversion, "get_model_class") else ModelBase.from_model_architecture(hparams["architectures"][0])
    made = kind(folder, gguf.LlamaFileType.ALL_F32, out, eager=True)
    made.set_vocab = lambda: made.gguf_writer.add_tokenizer_model("none")
    made.write()


def entries(reader):
    """Metadata of the model, by key: its type and value."""
    return {key: (field.types, field.contents()) for key, field in reader.fields.items() if not key.startswith(("GGUF.", "tokenizer.", "general."))}


# What weft writes, and the converter leaves to the length of the tokens or to sizes that follow.
MORE = {"vocab_size", "rope.freq_base", "rope.scaling.type", "rope.dimension_count", "attention.key_length", "attention.value_length", "attention.sliding_window_pattern"}
# The converter writes no factors of longrope for llama, and what it writes of yarn's factor under a key that llama.cpp does not use.
OTHER = {"llama, longrope", "llama, yarn with everything"}


def compare(name, ours, theirs):
    ours, theirs = gguf.GGUFReader(ours), gguf.GGUFReader(theirs)
    a, b = entries(ours), entries(theirs)
    differ = {key: (a.get(key), b[key]) for key in b if a.get(key) != b[key]}
    more = {key for key in a if key not in b and key.split(".", 1)[1] not in MORE}
    if name not in OTHER:
        check(f"{name}: metadata of llama.cpp's converter", not differ and not more, f"{len(b)} entries {differ or ''} {more or ''}")
    tensors = lambda reader: {x.name: x for x in reader.tensors}
    a, b = tensors(ours), tensors(theirs)
    wrong = []
    for key in a.keys() | b.keys():
        if key in a and key not in b and name in OTHER and key.startswith("rope_factors"):
            continue
        if key not in a or key not in b or a[key].tensor_type != b[key].tensor_type or list(a[key].shape) != list(b[key].shape):
            wrong.append(key)
        # The exponential of f32, and factors that are computed in f32 there, are right to the last bit or two.
        elif key.endswith("ssm_a") or key == "rope_freqs.weight":
            np.testing.assert_allclose(a[key].data, b[key].data, rtol=3e-7)
        elif a[key].data.tobytes() != b[key].data.tobytes():
            wrong.append(key)
    check(f"{name}: tensors of llama.cpp's converter", not wrong, f"{len(b)} tensors {wrong or ''}")


def logits_of_weft(path, **more):
    question = {"model": str(path), "ids": IDS, "out": str(WORK / "logits"), **more}
    done = subprocess.run(["node", ROOT / "tests/golden/dist/answer-models.js"], input=json.dumps(question) + "\n", capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return torch.from_numpy(np.fromfile(question["out"], np.float32).reshape(json.loads(done.stdout)["shape"]))


def worst(a, b):
    return ((a - b).abs().max() / b.abs().max()).item()


@torch.no_grad()
def whole(name, model):
    global skipped
    home = WORK / name.replace(" ", "-").replace(",", "")
    # As they are drawn, weights are so small that every token is nearly as likely as every other.
    for own, p in model.named_parameters():
        if p.dim() > 1 and not own.endswith("A_log"):
            p.mul_(20 if any(name in own for name in ("embed", "wte", "lm_head")) else 6)
        elif own.endswith("norm.weight") or own.endswith("bias"):
            p.add_(torch.randn_like(p) * 0.1)
    model.eval().save_pretrained(home / "hf")
    tokenizer(home / "hf")
    written = weft("convert", home / "hf", "-o", home / "ours.gguf")
    assert written.returncode == 0, written.stderr
    want = model(torch.tensor([IDS])).logits
    got = worst(logits_of_weft(home / "ours.gguf"), want)
    check(f"{name}: weft's logits straight from GGUF", got < 2e-5, f"off by {got:.1e}")
    back = weft("convert", home / "ours.gguf", "--dtype", "f32", "-o", home / "back")
    assert back.returncode == 0, back.stderr
    again = t.AutoModelForCausalLM.from_pretrained(home / "back", dtype=torch.float32).eval()
    got = worst(again(torch.tensor([IDS])).logits, want)
    check(f"{name}: transformers' logits of the folder that it became again", type(again) is type(model) or name == "mistral", type(again).__name__)
    check(f"{name}: its logits", got < 2e-5, f"off by {got:.1e}")
    twice = weft("convert", home / "back", "-o", home / "twice.gguf")
    assert twice.returncode == 0, twice.stderr
    a, b = entries(gguf.GGUFReader(home / "ours.gguf")), entries(gguf.GGUFReader(home / "twice.gguf"))
    # A head's size is written of a config that says it.
    a, b = ({key: value for key, value in x.items() if not key.endswith(("key_length", "value_length"))} for x in (a, b))
    check(f"{name}: metadata of the GGUF file of that folder", a == b, "" if a == b else str({k: (a.get(k), b.get(k)) for k in a.keys() | b.keys() if a.get(k) != b.get(k)}))
    if not SOURCES.exists():
        skipped += 2
    else:
        convert(home / "hf", home / "theirs.gguf")
        compare(name, home / "ours.gguf", home / "theirs.gguf")
    # llama.cpp reads yarn's betas of two other architectures only.
    if not MODULE.exists() or "everything" in name:
        skipped += 1
    else:
        theirs = torch.tensor(llama("next", model=home / "ours.gguf", ids=IDS))
        ours = torch.softmax(want[0, -1], -1)
        got = ((ours - theirs).abs().sum() / 2).item()
        # llama.cpp keeps keys and values in f16.
        check(f"{name}: llama.cpp's next token", got < 0.01 and ours.max() > 2 / VOCAB, f"distance {got:.1e}, most likely {ours.max():.3f}")


@torch.no_grad()
def encoder():
    """A BERT: tensors and metadata of the converter, transformers' states straight from the GGUF file and of the folder that it became again, and llama.cpp's embedding."""
    global skipped
    home = WORK / "bert"
    pieces = bert(json.loads((ROOT / "fixtures/models/tokenizers/wordpiece/tokenizer.json").read_text()))
    model = t.BertModel(t.BertConfig(vocab_size=700, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=128)).eval()
    for own, p in model.named_parameters():
        p.mul_(10) if p.dim() > 1 else p.add_(torch.randn_like(p) * 0.1)
    model.save_pretrained(home / "hf")
    (home / "hf/tokenizer.json").write_text(json.dumps(pieces))
    (home / "hf/tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "[UNK]", "pad_token": "[PAD]", "mask_token": "[MASK]"}))
    (home / "hf/1_Pooling").mkdir()
    (home / "hf/1_Pooling/config.json").write_text(json.dumps({"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True}))
    (home / "hf/modules.json").write_text(json.dumps([{"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]))
    written = weft("convert", home / "hf", "-o", home / "ours.gguf")
    assert written.returncode == 0, written.stderr
    check("bert: the pooler that is left out is told of", "pooler.dense.weight" in written.stderr)
    want = model(torch.tensor([IDS])).last_hidden_state
    got = worst(logits_of_weft(home / "ours.gguf", encoder=True), want)
    check("bert: weft's states straight from GGUF", got < 2e-5, f"off by {got:.1e}")
    back = weft("convert", home / "ours.gguf", "--dtype", "f32", "-o", home / "back")
    assert back.returncode == 0, back.stderr
    again = t.AutoModel.from_pretrained(home / "back", dtype=torch.float32).eval()
    got = worst(again(torch.tensor([IDS])).last_hidden_state, want)
    check("bert: transformers' states of the folder that it became again", type(again) is t.BertModel and got < 2e-5, f"off by {got:.1e}")
    if not SOURCES.exists():
        skipped += 2
    else:
        convert(home / "hf", home / "theirs.gguf")
        compare("bert", home / "ours.gguf", home / "theirs.gguf")
    if not MODULE.exists():
        skipped += 1
    else:
        text = "the cat sat on the mat"
        ids = Tokenizer.from_file(str(home / "hf/tokenizer.json")).encode(text).ids
        ours = model(torch.tensor([ids])).last_hidden_state.mean(1)[0]
        theirs = torch.tensor(llama("embed", model=home / "ours.gguf", texts=[text])[0])
        near = torch.nn.functional.cosine_similarity(ours, theirs, 0).item()
        # llama.cpp's GELU is the approximation by tanh.
        check("bert: llama.cpp's embedding", near > 0.999, f"cosine {near:.6f}")


def joined(tokenizer):
    """SentencePiece's merges: every two tokens that make a third, the third's in the order of those that there are."""
    own = tokenizer["model"]
    results = dict.fromkeys("".join(pair) if isinstance(pair, list) else pair.replace(" ", "", 1) for pair in own["merges"])
    own["merges"] = [[w[:i], w[i:]] for w in results for i in range(1, len(w)) if w[:i] in own["vocab"] and w[i:] in own["vocab"]]
    return tokenizer


def spaced(tokenizer):
    """The unigram model with what files of SentencePiece do to spaces."""
    steps = [{"type": "Strip", "strip_left": True, "strip_right": True}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]
    return {**tokenizer, "normalizer": {"type": "Sequence", "normalizers": steps}}


def bert(tokenizer):
    """Word pieces with the special tokens of BERT as added ones."""
    return {**tokenizer, "added_tokens": [{"id": i, "content": token, "special": True, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False} for i, token in enumerate(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"))]}


def cased(tokenizer):
    """The same with case and accents."""
    own = bert(tokenizer)
    return {**own, "normalizer": {**own["normalizer"], "lowercase": False, "strip_accents": None}}


def texts(seed, count):
    rng = random.Random(seed)
    parts = ["hello ", "World", "  ", "\n", "日本", "é", "🙂", "123", "4567", "'s", "don't", "\t", "_x", "%", "ß", "the", " The quick", " cat sat on"]
    return ["".join(rng.choice(parts) for _ in range(rng.randint(1, 12))) for _ in range(count)]


def cut(name, changed, label=None):
    """Ids of texts in llama.cpp, and in transformers of the folder that the file became again, are those of the tokenizer."""
    global skipped
    label = label or name
    home = WORK / f"tokenizer-{label}"
    t.LlamaForCausalLM(t.LlamaConfig(**{**SMALL, "vocab_size": 700})).save_pretrained(home / "hf")
    own = changed(json.loads((ROOT / f"fixtures/models/tokenizers/{name}/tokenizer.json").read_text()))
    # llama.cpp looks for added tokens in texts as they are, transformers for this one in what they are normalised to.
    own["added_tokens"] = [token for token in own["added_tokens"] if token["special"]]
    (home / "hf/tokenizer.json").write_text(json.dumps(own))
    special = {"bpe_byte_level": {}, "wordpiece": {"cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "[UNK]", "pad_token": "[PAD]", "mask_token": "[MASK]"}}.get(name, {"bos_token": "<s>", "eos_token": "</s>"})
    (home / "hf/tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", **special}))
    written = weft("convert", home / "hf", "-o", home / "a.gguf")
    assert written.returncode == 0, written.stderr
    # Without a table of characters, which SentencePiece's own files have, llama.cpp strips spaces only, not other white space.
    some = [text for text in texts(3, 300) if name != "unigram" or not ("\t" in text or "\n" in text)]
    before = Tokenizer.from_file(str(home / "hf/tokenizer.json"))
    want = [before.encode(text, add_special_tokens=False).ids for text in some]
    assert weft("convert", home / "a.gguf", "--dtype", "f32", "-o", home / "back").returncode == 0
    again = Tokenizer.from_file(str(home / "back/tokenizer.json"))
    check(f"{label}: ids of the folder that it became again", [again.encode(text).ids for text in some] == [before.encode(text).ids for text in some], f"{len(some)} texts")
    if not MODULE.exists():
        skipped += 1
    else:
        got = llama("ids", model=home / "a.gguf", texts=some)
        wrong = [(text, a, b) for text, a, b in zip(some, got, want) if a != b]
        check(f"{label}: ids of llama.cpp", not wrong, f"{len(wrong)} of {len(some)} differ {wrong[:2] or ''}")


torch.manual_seed(0)
wanted = sys.argv[1:]
for name, changed in (("bpe_byte_level", lambda tokenizer: tokenizer), ("bpe_byte_fallback", joined), ("unigram", spaced), ("wordpiece", bert), ("wordpiece", cased)):
    label = "wordpiece-cased" if changed is cased else name
    if wanted and label not in wanted:
        continue
    try:
        cut(name, changed, label)
    except Exception:
        failed += 1
        print(f"FAIL {name}\n{traceback.format_exc(limit=3)}", flush=True)
if not wanted or "bert" in wanted:
    try:
        encoder()
    except Exception:
        failed += 1
        print(f"FAIL bert\n{traceback.format_exc(limit=3)}", flush=True)
drawn = small_models()
while True:
    # Whatever came before: how far sums in another order are from each other depends on the weights that are drawn.
    torch.manual_seed(0)
    name, model = next(drawn, (None, None))
    if name is None:
        break
    if wanted and name not in wanted:
        continue
    try:
        whole(name, model)
    except Exception:
        failed += 1
        print(f"FAIL {name}\n{traceback.format_exc(limit=3)}", flush=True)
print(f"{passed} passed, {failed} failed, {skipped} skipped")
sys.exit(failed > 0)
