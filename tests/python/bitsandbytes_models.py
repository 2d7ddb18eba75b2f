#!/usr/bin/env python3
"""Models in bitsandbytes' four and eight bits, both ways: what `weft quantize` writes loads in transformers with bitsandbytes, and what they write is read by weft. Needs a built apps/cli and tests/golden.

Of each format: every dequantised weight is the same to the bit on both sides, logits are near, and the file that transformers writes of the same model has the same bytes, but for what follows from the mean of
the block maxima. Everything on the CPU. The last line is the sum: "N passed, N failed, N skipped".
"""
import json, os, pathlib, subprocess, sys, tempfile, traceback, warnings

os.environ["HF_HUB_OFFLINE"] = "1"
warnings.filterwarnings("ignore")
import bitsandbytes as bnb
import numpy as np
import torch
import transformers as t
from bitsandbytes.functional import dequantize_4bit, int8_vectorwise_dequant
from safetensors.torch import load_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = pathlib.Path(tempfile.mkdtemp(prefix="weft-bitsandbytes-"))
IDS = [5, 66, 7, 20, 3, 4, 12, 9, 31, 8, 77, 12]
t.utils.logging.disable_progress_bar()
t.utils.logging.set_verbosity_error()
torch.set_num_threads(1)
passed = failed = 0


def check(name, ok, more=""):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    print(("ok  " if ok else "FAIL"), name, more, flush=True)


def weft(*argv):
    done = subprocess.run(["node", ROOT / "apps/cli/dist/weft.js", *map(str, argv)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def tensors(folder):
    return {name: tensor for file in sorted(folder.glob("*.safetensors")) for name, tensor in load_file(file).items()}


def bits(tensor):
    return tensor.detach().contiguous().view(torch.uint8)


def logits_of_weft(path):
    question = {"model": str(path), "ids": IDS, "out": str(WORK / "logits")}
    done = subprocess.run(["node", ROOT / "tests/golden/dist/answer-models.js"], input=json.dumps(question) + "\n", capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return torch.from_numpy(np.fromfile(question["out"], np.float32).reshape(json.loads(done.stdout)["shape"]))


@torch.no_grad()
def logits(model):
    # In evaluation bitsandbytes computes in bf16, or rounds activations to eight bits, where the processor has instructions for it; in training it multiplies by the dequantised weight.
    return model.train()(torch.tensor([IDS])).logits.float()


def worst(a, b):
    return ((a - b).abs().max() / b.abs().max()).item()


def dequantised(model):
    """Values of the quantised layers, as bitsandbytes computes them."""
    values = {}
    for name, module in model.named_modules():
        if isinstance(module, bnb.nn.Linear4bit):
            values[f"{name}.weight"] = dequantize_4bit(module.weight.data, module.weight.quant_state)
        elif isinstance(module, bnb.nn.Linear8bitLt):
            weight = module.weight
            values[f"{name}.weight"] = int8_vectorwise_dequant(weight.data, weight.SCB).half()
    return values


# What `weft quantize` is told, transformers' config, the dtype of the weights, and how far logits may be apart: where numbers are rounded to 16 bits between layers, or rows in LLM.int8, as far as that.
NF4 = dict(load_in_4bit=True, bnb_4bit_quant_type="nf4")
FORMATS = {
    "nf4": (["--to", "nf4"], NF4, "f32", 1e-5),
    "nf4, double": (["--to", "nf4", "--double-quant"], dict(NF4, bnb_4bit_use_double_quant=True), "f32", 1e-5),
    "nf4, bf16": (["--to", "nf4"], NF4, "bf16", 3e-2),
    "fp4": (["--to", "fp4"], dict(load_in_4bit=True, bnb_4bit_quant_type="fp4"), "f32", 1e-5),
    "int8": (["--to", "int8"], dict(load_in_8bit=True), "f16", 5e-3),
}
DTYPES = dict(f32=torch.float32, bf16=torch.bfloat16, f16=torch.float16)


def compare(name, folder, dtype, tolerance):
    """A checkpoint of few bits: in transformers with bitsandbytes, and in weft."""
    model = t.AutoModelForCausalLM.from_pretrained(folder, device_map="cpu")
    theirs = dequantised(model)
    back = WORK / f"{folder.name}-back"
    weft("convert", folder, "--dtype", dtype, "-o", back)
    ours = tensors(back)
    wrong = [key for key, value in theirs.items() if not torch.equal(bits(ours[key]), bits(value))]
    check(f"{name}: dequantised weights", len(theirs) == 14 and not wrong, f"{len(theirs)} layers {wrong or ''}")
    got = worst(logits_of_weft(folder), logits(model))
    check(f"{name}: logits", got < tolerance, f"off by {got:.1e}")


def both_ways(name, argv, options, dtype, tolerance):
    stem = name.replace(", ", "-")
    base, ours, theirs = (WORK / f"{stem}-{what}" for what in ("base", "ours", "theirs"))
    model = drawn().to(DTYPES[dtype])
    model.save_pretrained(base)
    layers = [own for own, module in model.named_modules() if isinstance(module, torch.nn.Linear) and own != "lm_head"]
    weft("quantize", base, *argv, "-o", ours)
    compare(f"{name}, written by weft", ours, dtype, tolerance)
    loaded = t.AutoModelForCausalLM.from_pretrained(base, dtype=DTYPES[dtype], quantization_config=t.BitsAndBytesConfig(**options), device_map="cpu")
    loaded.save_pretrained(theirs)
    compare(f"{name}, written by transformers", theirs, dtype, tolerance)
    a, b = tensors(ours), tensors(theirs)
    # The mean of the block maxima is a sum in another order, and all that is rounded by it.
    unsure = lambda key: "double" in name and key.endswith(("absmax", "nf4"))
    same = lambda x, y: x.dtype == y.dtype and x.shape == y.shape and torch.equal(x.reshape(-1).view(torch.uint8), y.reshape(-1).view(torch.uint8))
    wrong = [key for key in a.keys() & b.keys() if not unsure(key) and not same(a[key], b[key])]
    own = [key for key in b if key.startswith(tuple(layer + "." for layer in layers))]
    check(f"{name}: tensors are those of transformers", a.keys() == b.keys() and not wrong, f"{len(b)}, {len(own)} of quantised layers {wrong[:3] or ''} {sorted(a.keys() ^ b.keys())[:3] or ''}")


def drawn():
    torch.manual_seed(0)
    model = t.LlamaForCausalLM(t.LlamaConfig(vocab_size=97, hidden_size=128, intermediate_size=192, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2))
    with torch.no_grad():
        for p in model.parameters():
            if p.dim() > 1:
                p.mul_(6)
    return model


for name, rest in FORMATS.items():
    if sys.argv[1:] and name not in sys.argv[1:]:
        continue
    try:
        both_ways(name, *rest)
    except Exception:
        failed += 1
        print(f"FAIL {name}\n{traceback.format_exc(limit=4)}", flush=True)
print(f"{passed} passed, {failed} failed, 0 skipped")
sys.exit(failed > 0)
