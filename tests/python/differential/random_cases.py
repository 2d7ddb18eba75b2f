"""Random configurations of every method that PEFT merges, on random networks. A seed gives the same list again."""
import dataclasses
import numpy as np
import peft
from nets import MODELS, NETS


@dataclasses.dataclass
class Case:
    name: str
    model: str  # of NETS, MODELS, or one that `build` makes
    configs: list  # (class, keyword arguments) of each adapter
    dtype: str = "float32"
    build: object = None
    noise: float = 0.05
    example: object = None


LINEAR = ["lin0", "lin1"]
TARGETS = {
    "mlp": [["lin0", "lin1"], ["lin0"], "lin[01]", ["lin0", "lin1", "head"], "all-linear"],
    "square": [["lin0", "lin1"], "all-linear"],
    "embedding": [["emb", "lin0"], ["emb"], ["lin0", "head"]],
    "gpt": [["c_attn", "c_proj"], ["c_attn"], ["c_attn", "c_proj", "lin"]],
    "conv1d": [["conv0", "conv1"], ["conv0"]],
    "conv2d": [["conv0", "conv1"], ["conv0"]],
    "conv3d": [["conv0", "conv1"]],
    "grouped": [["conv0", "conv1"]],
}


class Draw:
    def __init__(self, rng):
        self.rng = rng

    def __call__(self, *values):
        return values[self.rng.integers(len(values))]

    def sometimes(self, share=0.3):
        return self.rng.random() < share


def patterns(draw, low=2, high=6):
    return {draw("lin0", "lin1", "l.n1", "^lin0"): int(draw.rng.integers(low, high))}


def lora(d):
    c = dict(r=d(2, 4, 8), lora_alpha=d(1, 4, 16), use_rslora=d.sometimes(), use_dora=d.sometimes(), init_lora_weights=d(True, False, "gaussian"))
    if d.sometimes():
        c["rank_pattern"] = patterns(d)
    if d.sometimes():
        c["alpha_pattern"] = patterns(d)
    if d.sometimes(0.2):
        c["bias"] = d("all", "lora_only")
    if d.sometimes(0.2) and not c["use_dora"]:
        c["lora_bias"] = True
        c["bias"] = "none"
    return c


METHODS = {
    "LoraConfig": (["mlp", "square", "embedding", "gpt", "conv1d", "conv2d", "conv3d", "grouped"], lora),
    "AdaLoraConfig": (["mlp", "gpt", "conv2d"], lambda d: dict(init_r=d(4, 6), target_r=2, total_step=10, lora_alpha=d(4, 8))),
    "IA3Config": (["mlp", "gpt", "conv2d", "conv3d"], lambda d: dict(feedforward=d.sometimes(0.5))),
    "LoHaConfig": (["mlp", "square", "conv1d", "conv2d"], lambda d: dict(r=d(2, 4), alpha=d(2, 8), use_effective_conv2d=d.sometimes(), rank_pattern=patterns(d) if d.sometimes() else {})),
    "LoKrConfig": (["mlp", "square", "conv1d", "conv2d"], lambda d: dict(r=d(2, 4, 16), alpha=d(2, 8), decompose_both=d.sometimes(), decompose_factor=d(-1, 2, 4), use_effective_conv2d=d.sometimes())),
    "OFTConfig": (["mlp", "square", "conv2d"], lambda d: dict(r=0, oft_block_size=d(2, 4, 8), block_share=d.sometimes(), coft=d.sometimes(), use_cayley_neumann=d.sometimes(0.5))),
    "BOFTConfig": (["square", "mlp"], lambda d: dict(boft_block_size=d(2, 4, 8))),
    "HRAConfig": (["mlp", "square", "conv2d"], lambda d: dict(r=d(2, 4), apply_GS=d.sometimes())),
    "VeraConfig": (["mlp", "square", "gpt"], lambda d: dict(r=d(4, 8), save_projection=d.sometimes(0.5), projection_prng_key=d(0, 7))),
    "FourierFTConfig": (["mlp", "square", "gpt"], lambda d: dict(n_frequency=d(10, 40), scaling=d(10.0, 150.0), random_loc_seed=d(7, 777))),
    "LNTuningConfig": (["mlp"], lambda d: dict(target_modules=["norm"])),
    "BeftConfig": (["mlp"], lambda d: dict(target_modules=["lin0"])),
    "C3AConfig": (["mlp", "square"], lambda d: dict(block_size=d(2, 4, 8))),
    "DeftConfig": (["mlp", "gpt"], lambda d: dict(r=d(2, 4))),
    "DeloraConfig": (["mlp", "square"], lambda d: dict(r=d(2, 4), delora_lambda=d(3, 15))),
    "GloraConfig": (["mlp", "square"], lambda d: dict(r=d(2, 4), config_A_B=d("lora", "vector", "constant", "none"), config_C=d("lora", "vector", "none"), config_D_E=d("vector", "constant", "none"))),
    "GraloraConfig": (["mlp", "square", "gpt"], lambda d: dict(r=d(4, 8), alpha=d(4, 8), gralora_k=2, hybrid_r=d(0, 2))),
    "HiraConfig": (["mlp", "embedding", "conv1d", "conv2d", "gpt"], lambda d: dict(r=d(2, 4))),
    "MissConfig": (["mlp", "square"], lambda d: dict(r=d(2, 4), **d({}, dict(init_weights="bat"), dict(init_weights="mini", mini_r=2)))),
    "PeanutConfig": (["mlp"], lambda d: dict(r=d(2, 4))),
    "PveraConfig": (["mlp", "square"], lambda d: dict(r=d(4, 8), save_projection=d.sometimes(0.5))),
    "RandLoraConfig": (["mlp", "gpt"], lambda d: dict(r=d(4, 8), randlora_alpha=d(4, 8), save_projection=d.sometimes(0.5), sparse=d.sometimes())),
    "RoadConfig": (["mlp", "square"], lambda d: dict(variant=d("road_1", "road_2", "road_4"), group_size=2)),
    "ShiraConfig": (["mlp", "square"], lambda d: dict(r=d(1, 2), random_seed=d(3, 5))),
    "SupertuningConfig": (["mlp", "square"], lambda d: dict(sparsity=d(0.9, 0.75), r=d(0, 2), select_top=d(True, False))),
    "UniLoraConfig": (["mlp", "gpt"], lambda d: dict(r=2, theta_d_length=20, save_indices=d(True, False))),
    "VBLoRAConfig": (["mlp"], lambda d: dict(r=2, num_vectors=10, vector_length=d(2, 4, 8), topk=2, save_only_topk_weights=d.sometimes())),
    "WaveFTConfig": (["mlp", "square", "gpt"], lambda d: dict(n_frequency=d(20, 60), scaling=d(5.0, 25.0), wavelet_family=d("db1", "sym2", "db4"), use_idwt=d(True, False))),
    "PsoftConfig": (["mlp", "square"], lambda d: dict(r=d(4, 8))),
    "TinyLoraConfig": (["mlp", "square"], lambda d: dict(r=2, u=d(4, 8))),
    "FrodConfig": (["square"], lambda d: dict()),
    "OSFConfig": (["mlp", "square"], lambda d: dict(effective_rank=d(2, 4))),
}
SMALL_NOISE = {"OFTConfig", "BOFTConfig", "HRAConfig", "PsoftConfig"}


def keywords(method, net, draw):
    """Arguments of a config class on a network; None if PEFT has no such class."""
    kw = METHODS[method][1](draw)
    if method == "IA3Config" and "feedforward" in kw:
        targets = draw(*[t for t in TARGETS[net] if isinstance(t, list)])
        kw = dict(target_modules=targets, feedforward_modules=targets[:1] if kw["feedforward"] else [])
    kw.setdefault("target_modules", draw(*TARGETS[net]))
    if net == "gpt":
        kw["fan_in_fan_out"] = True
    if net in ("conv2d", "conv1d", "conv3d", "grouped", "gpt", "embedding"):
        kw.pop("rank_pattern", None), kw.pop("alpha_pattern", None)
    if net in ("mlp", "square", "embedding") and draw.sometimes(0.15) and "head" not in kw["target_modules"] and method not in ("LNTuningConfig", "VBLoRAConfig"):
        kw["modules_to_save"] = ["head"]
    return kw


def on_models(draw):
    kw = dict(r=draw(2, 4), lora_alpha=draw(4, 8), target_modules=draw("all-linear", None, "all-linear"), use_dora=draw.sometimes(0.2), use_rslora=draw.sometimes(0.2))
    if draw.sometimes(0.2):
        kw["bias"] = draw("all", "lora_only")
    return kw


def random_cases(seed, count, only=None):
    rng = np.random.default_rng(seed)
    draw = Draw(rng)
    methods = [m for m in METHODS if hasattr(peft, m) and (only is None or only.lower() in m.lower())]
    cases = []
    while len(cases) < count:
        dtype = draw("float32", "float32", "bfloat16", "float16")
        if (only is None or only == "models") and draw.sometimes(0.2):
            model = draw(*MODELS)
            cases.append(Case(f"random-{len(cases)}-{model}-LoraConfig", model, [("LoraConfig", on_models(draw))], draw("float32", "bfloat16")))
            continue
        method = draw(*methods)
        net = draw(*METHODS[method][0])
        adapters = [(method, keywords(method, net, draw))]
        if draw.sometimes(0.25) and "modules_to_save" not in adapters[0][1] and method not in ("OSFConfig", "FrodConfig", "UniLoraConfig"):
            second = keywords(method, net, draw)
            second.pop("modules_to_save", None)
            second.pop("bias", None)
            if method in ("VeraConfig", "PveraConfig", "RandLoraConfig"):
                # PEFT gives a second adapter the bases of the first, whatever it was trained with.
                shared = ("r", "save_projection", "projection_prng_key", "sparse", "target_modules")
                second = second | {k: adapters[0][1][k] for k in shared if k in adapters[0][1]}
            adapters.append((method, second))
        noise = 0.02 if method in SMALL_NOISE else 0.05
        cases.append(Case(f"random-{len(cases)}-{net}-{method}", net, adapters, dtype, noise=noise))
    return cases


def builder(case):
    """The base model of a case, always with the same weights."""
    import torch
    torch.manual_seed(0)
    return (case.build or (NETS | MODELS)[case.model])()
