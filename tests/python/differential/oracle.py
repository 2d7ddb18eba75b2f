"""What PEFT makes of a case: files for weft, and what is right."""
import copy, shutil, warnings
import numpy as np
import peft, torch
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils import AuxiliaryTrainingWrapper
from safetensors.torch import load_file, save_file
from nets import describe, example_of, raw_parameters
from random_cases import builder

NAMES = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}


class PeerRefuses(Exception):
    pass


def plain(model):
    return {k: v.detach().clone().contiguous() for k, v in model.state_dict().items()}


def save(model, folder):
    folder.mkdir(parents=True)
    if hasattr(model, "save_pretrained"):
        model.save_pretrained(folder)
    else:
        save_file(plain(model), folder / "model.safetensors")


def folder_tensors(folder):
    result = {}
    for file in sorted(folder.glob("*.safetensors")):
        result |= load_file(file)
    return result


def as_files(model, folder):
    """A model's tensors under the names that it has on disk."""
    shutil.rmtree(folder, ignore_errors=True)
    save(model, folder)
    tensors = folder_tensors(folder)
    shutil.rmtree(folder)
    return tensors


def load(base, home, count):
    model = peft.PeftModel.from_pretrained(copy.deepcopy(base), str(home / "a0"), adapter_name="a0")
    for i in range(1, count):
        model.load_adapter(str(home / f"a{i}"), adapter_name=f"a{i}")
    if count > 1:
        model.base_model.set_adapter([f"a{i}" for i in range(count)])
    return model.eval()


def adapted(model):
    """Outermost wrapped modules by their path in the base."""
    found = {}
    for name, module in model.named_modules():
        if not isinstance(module, (BaseTunerLayer, AuxiliaryTrainingWrapper)) or not name.startswith("base_model.model."):
            continue
        path = name.removeprefix("base_model.model.")
        if not any(path.startswith(f"{other}.") for other in found):
            found[path] = module
    return found


@torch.no_grad()
def observe(model, example):
    """The result, and what went into and came out of each adapted module at its first call."""
    seen, hooks = {}, []

    def watch(path):
        def hook(_, args, kwargs, output):
            x = args[0] if args else next(iter(kwargs.values()), None)
            if path not in seen and isinstance(x, torch.Tensor) and isinstance(output, torch.Tensor):
                seen[path] = (x.detach().clone(), output.detach().clone())
        return hook

    for path, module in adapted(model).items():
        hooks.append(module.register_forward_hook(watch(path), with_kwargs=True))
    y = model.base_model(**example)
    for hook in hooks:
        hook.remove()
    return y if isinstance(y, torch.Tensor) else y.logits, seen


@torch.no_grad()
def prepare(case, home):
    """Writes base/, a0/, a1/ … and inputs.safetensors. @returns what weft is asked, and what PEFT answers"""
    dtype = getattr(torch, case.dtype)
    base = builder(case).to(dtype).eval()
    if "dtype" in vars(base):  # what the networks of PEFT's suite turn their input into
        base.dtype = dtype
    save(base, home / "base")
    (home / "memory").mkdir()
    save_file({k: v.clone() for k, v in plain(base).items()}, home / "memory/model.safetensors")
    example = case.example(base, dtype) if case.example else example_of(base, np.random.default_rng(1), dtype)
    try:
        for i, (name, kw) in enumerate(case.configs):
            torch.manual_seed(1 + i)
            config = getattr(peft, name)(**kw) if isinstance(name, str) else name(**kw)
            with torch.enable_grad():
                model = peft.get_peft_model(copy.deepcopy(base), config).eval()
            for key, p in model.named_parameters():
                if p.requires_grad:
                    p.add_(torch.randn(p.shape).to(p.dtype) * case.noise)
            model.save_pretrained(home / f"a{i}")
        count = len(case.configs)
        loaded = load(base, home, count)
        y, seen = observe(loaded, example)
    except (ValueError, TypeError, NotImplementedError, RuntimeError, KeyError, AttributeError, AssertionError, IndexError) as error:
        raise PeerRefuses(f"{type(error).__name__}: {error}") from error
    merged = {}
    for safe in (False, True):
        try:
            merged[safe] = as_files(load(base, home, count).base_model.merge_and_unload(safe_merge=safe, adapter_names=[f"a{i}" for i in range(count)]), home / "merged")
        except Exception as error:  # noqa: BLE001 - whatever PEFT raises is its refusal
            merged[safe] = f"{type(error).__name__}: {error}"
    save_file({f"in.{p}": x.contiguous() for p, (x, _) in seen.items()} or {"none": torch.zeros(1)}, home / "inputs.safetensors")
    saved = load_file(home / "a0/adapter_model.safetensors")
    layers = [dict(path=p, layer=spec) for p, m in base.named_modules() if (spec := describe(m, NAMES[case.dtype]))]
    layers += raw_parameters(base, NAMES[case.dtype])
    modules = [dict(path=p, kind=next((one["layer"]["kind"] for one in layers if one["path"] == p), "other")) for p, _ in base.named_modules() if p]
    job = dict(
        home=str(home), layers=layers, modules=modules, adapters=[f"a{i}" for i in range(count)], paths=list(seen),
        modelType=getattr(getattr(base, "config", None), "model_type", None),
    )
    return job, dict(merged_outputs=lambda: outputs_merged(base, home, count, seen), exact_outputs=lambda: outputs_in_f32(base, home, count, seen), base=base, example=example, y=y, outputs={p: out for p, (_, out) in seen.items()}, merged=merged, saved=saved)


@torch.no_grad()
def outputs_merged(base, home, count, seen):
    """What the adapted layers give once PEFT has merged the adapters into them."""
    merged = load(base, home, count).base_model.merge_and_unload(adapter_names=[f"a{i}" for i in range(count)])
    return {path: merged.get_submodule(path)(x) for path, (x, _) in seen.items()}


@torch.no_grad()
def outputs_in_f32(base, home, count, seen):
    """What the adapted layers give where nothing is rounded on the way: the same values in f32."""
    layers = adapted(load(copy.deepcopy(base).float(), home, count))
    return {path: layers[path](x.float() if x.is_floating_point() else x) for path, (x, _) in seen.items()}


@torch.no_grad()
def forward_with(base, tensors, example):
    """The output of the base with other weights; names on disk may differ from those in memory, then nothing is said."""
    fresh = copy.deepcopy(base)
    state = fresh.state_dict()
    if not set(tensors) <= set(state):
        return None
    missing = set(state) - set(tensors)
    fresh.load_state_dict({k: v.to(state[k].dtype) for k, v in tensors.items()}, strict=not missing)
    y = fresh(**example)
    return y if isinstance(y, torch.Tensor) else y.logits
