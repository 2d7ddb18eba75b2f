"""Outcomes of comparisons."""
import torch

# Largest difference, relative to the largest value of the tensor: f32 sums of a few hundred products in another order; half a unit of the last place
# of the others, twice (the change and the sum may each round).
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 2**-7, torch.float16: 2**-10}

# They begin with decompositions of f32 weights, by other code than torch's: singular vectors agree to the gap of the values.
DECOMPOSED = {"OSFConfig", "PsoftConfig", "TinyLoraConfig", "FrodConfig", "AdamssConfig"}
DECOMPOSED_TOLERANCE = 1e-4

# Methods whose unmerged forward and merge disagree in PEFT, and what weft follows in both. The README has the same.
INCONSISTENT = {
    "OFTConfig": "on convolutions PEFT's forward is wrong for kernels larger than 1, and several rotations are chained in another order than merged: the merge is followed",
    "C3AConfig": "PEFT's forward gives each further adapter the result of the one before it instead of the input: the merge is followed, a sum",
}

# What weft refuses, and may: part of a message → why. Mirrors the README's table of what is left out or followed differently.
REFUSALS = {
    "grouped": "a LoRA on a grouped convolution has no change of the weight's shape; PEFT refuses, too",
    "does not list it among its layers": "nn.MultiheadAttention, and weights that a module of one's own uses itself: only their model can run them; merge does both",
    "follows from the order of the model's modules": "Uni-LoRA without its indices: a checkpoint does not tell the order; the library knows the model, and does it",
}


def name_of(case):
    name = case.configs[0][0]
    return name if isinstance(name, str) else name.__name__


def gap(got, want):
    """@returns the largest difference relative to the largest value, and where; infinite if names or shapes differ"""
    worst = (0.0, "")
    for name, b in want.items():
        a = got.get(name)
        if a is None or a.shape != b.shape:
            return float("inf"), f"{name}: {'missing' if a is None else f'{list(a.shape)} instead of {list(b.shape)}'}"
        if b.numel() == 0 or not b.is_floating_point():
            continue
        scale = max(b.double().abs().max().item(), 1e-30)
        error = (a.double() - b.double()).abs().max().item() / scale
        worst = max(worst, (error if error == error else float("inf"), name))
    extra = set(got) - set(want)
    return (float("inf"), f"{sorted(extra)[0]}: not in the original") if extra else worst


def equal(got, want):
    return got.keys() == want.keys() and all(got[k].dtype == v.dtype and got[k].shape == v.shape and torch.equal(got[k], v) for k, v in want.items())


def judge(got, want, dtype, case=None):
    """@param case whose adapters round one after the other, and may begin with decompositions"""
    if equal(got, want):
        return "equal", ""
    error, where = gap(got, want)
    if error <= max(TOLERANCE[dtype] * (len(case.configs) if case else 1), DECOMPOSED_TOLERANCE if case and name_of(case) in DECOMPOSED else 0):
        return ("within" if dtype == torch.float32 else "rounding"), f"{error:.1e} at {where}"
    return "WRONG", f"{error:.2e} at {where}"
