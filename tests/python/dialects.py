#!/usr/bin/env python3
"""What `weft convert` writes, loaded by the programs that it is for. Needs what run.sh installs and a built command line (apps/cli/dist/weft.js).

Each file must load in diffusers, LyCORIS or PEFT and change every weight as the fixtures' originals did. The last line is the sum:
"N passed, N failed, N skipped".
"""
import json, logging, os, pathlib, shutil, subprocess, sys, tempfile, traceback, warnings

os.environ["HF_HUB_OFFLINE"] = "1"
warnings.filterwarnings("ignore")
import torch
from torch import nn
from safetensors.torch import load_file, save_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
WEFT = ["node", str(ROOT / "apps/cli/dist/weft.js")]
FIXTURES = ROOT / "fixtures"
WORK = pathlib.Path(tempfile.mkdtemp(prefix="weft-dialects-"))
logging.disable(logging.WARNING)


def convert(source, to, *args):
    out = pathlib.Path(tempfile.mkdtemp(dir=WORK))
    done = subprocess.run([*WEFT, "convert", str(source), "--to", to, "-o", str(out), "--json", *map(str, args)], capture_output=True, text=True)
    assert done.returncode == 0, f"weft convert {source} --to {to}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return out


def close(name, got, want, rtol=1e-4, atol=1e-5):
    torch.testing.assert_close(got.reshape(want.shape), want, rtol=rtol, atol=atol, msg=lambda m: f"{name}: {m}")


# The UNet that make_lycoris.py trained its pipeline adapters on.
def unet(case):
    from diffusers import UNet2DConditionModel
    torch.manual_seed(0)
    model = UNet2DConditionModel(
        sample_size=8, block_out_channels=(8, 16), layers_per_block=1, cross_attention_dim=12, attention_head_dim=4, norm_num_groups=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D")).requires_grad_(False)
    base = FIXTURES / f"lycoris/convert/{case}/base.safetensors"
    if base.exists():  # magnitudes act on the weights that they were trained with
        own = model.state_dict()
        for name, weight in load_file(base).items():
            if name.startswith("unet."):
                own[name.removeprefix("unet.")].copy_(weight)
    return model


def deltas(case):
    return {name.removeprefix("unet."): t for name, t in load_file(FIXTURES / f"lycoris/convert/{case}/delta.safetensors").items() if name.startswith("unet.")}


def changes(model):
    """W' - W of every module that PEFT adapted."""
    found = {}
    for name, module in model.named_modules():
        if hasattr(module, "merge") and hasattr(module, "get_base_layer"):
            weight = module.get_base_layer().weight
            before = weight.clone()
            module.merge()
            found[name.removeprefix("base_model.model.")] = module.get_base_layer().weight - before
    return found


def same_changes(got, want):
    assert got.keys() == want.keys(), f"modules differ: {sorted(got.keys() ^ want.keys())[:5]}"
    for name, t in want.items():
        close(name, got[name], t)


def peft_unet(case):
    """The UNet's part as a PEFT folder."""
    home = WORK / f"peft-{case}"
    home.mkdir(exist_ok=True)
    source = FIXTURES / f"lycoris/convert/{case}"
    shutil.copyfile(source / "peft_unet.safetensors", home / "adapter_model.safetensors")
    (home / "adapter_config.json").write_text(json.dumps(json.loads((source / "case.json").read_text())["peft_config_unet"]))
    return home


def read_by_diffusers(case, file):
    from diffusers.loaders import StableDiffusionLoraLoaderMixin as Loader
    model = unet(case)
    state, alphas, metadata = Loader.lora_state_dict(str(file), unet_config=model.config, return_lora_metadata=True)
    state = {name: t for name, t in state.items() if name.startswith("unet.")}
    model.load_lora_adapter(state, prefix="unet", network_alphas=alphas, metadata=metadata, adapter_name="weft")
    return changes(model)


def diffusers_reads_its_own_form():
    for case in ("sd-lora", "sd-dora"):
        same_changes(read_by_diffusers(case, convert(FIXTURES / f"lycoris/convert/{case}/kohya.safetensors", "diffusers") / "pytorch_lora_weights.safetensors"), deltas(case))


def diffusers_reads_kohya():
    # Of kohya's form it reads no magnitudes, and an alpha unlike the others only where no attention processor's name is in the way.
    got = read_by_diffusers("sd-lora", convert(peft_unet("sd-lora"), "kohya") / "lora.safetensors")
    same_changes(got, read_by_diffusers("sd-lora", FIXTURES / "lycoris/convert/sd-lora/kohya.safetensors"))
    common = {name: t for name, t in deltas("sd-lora").items() if not name.endswith("to_k")}
    same_changes({name: got[name] for name in common}, common)


def diffusers_reads_kohya_sdxl_names():
    """Original names, which kohya has for SDXL: diffusers must map them to the modules that they came from."""
    from diffusers.loaders.lora_conversion_utils import _convert_non_diffusers_lora_to_diffusers, _maybe_map_sgm_blocks_to_diffusers
    pairs = json.loads((FIXTURES / "lycoris/convert/sdxl-sgm-names/case.json").read_text())["pairs"]
    tensors = {}
    for i, key in enumerate(sorted(pairs.values())):
        path = key.removesuffix(".lora.down.weight").removesuffix("_lora.down.weight").replace(".processor", "")
        path = path + ".0" if path.endswith(".to_out") else path
        tensors |= {f"{path}.lora_A.weight": torch.full((1, 2), float(i)), f"{path}.lora_B.weight": torch.ones(2, 1)}
    home = WORK / "sdxl.safetensors"
    save_file(tensors, home)
    written = load_file(convert(home, "kohya") / "lora.safetensors")
    back, _ = _convert_non_diffusers_lora_to_diffusers(_maybe_map_sgm_blocks_to_diffusers(written, type("Config", (), {"layers_per_block": 2})))
    for i, key in enumerate(sorted(pairs.values())):
        assert back[key].unique().tolist() == [float(i)], key


def diffusers_reads_kohya_flux():
    """Fused again by weft, split again by diffusers: the same products."""
    from diffusers.loaders.lora_conversion_utils import _convert_kohya_flux_lora_to_diffusers
    source = FIXTURES / "lycoris/convert/flux-kohya/diffusers.safetensors"
    want = load_file(source)
    got = _convert_kohya_flux_lora_to_diffusers(load_file(convert(source, "kohya") / "lora.safetensors"))
    assert got.keys() == want.keys(), sorted(got.keys() ^ want.keys())[:5]
    for name in want:
        if name.endswith("lora_B.weight"):
            product = lambda sd: sd[name].float() @ sd[name.replace("lora_B", "lora_A")].float()
            close(name, product(got), product(want), rtol=1e-2, atol=2e-3)


def peft_reads_a_unet():
    from peft import PeftModel
    for case in ("sd-lora", "sd-dora"):
        out = convert(FIXTURES / f"lycoris/convert/{case}/kohya.safetensors", "peft")
        same_changes(changes(PeftModel.from_pretrained(unet(case), out / "unet")), deltas(case))


def lycoris_change(file, model):
    """W' - W by LyCORIS's own loader, out of each module's forward: its merge applies the scale of LoHa and LoKr twice."""
    from lycoris import create_lycoris_from_weights
    network, _ = create_lycoris_from_weights(1.0, str(file), model)
    found = {}
    paths = {("lycoris_" + name).replace(".", "_"): name for name, _ in model.named_modules()}
    for lora in network.loras:
        weight = lora.org_module[0].weight
        if hasattr(lora, "lora_up") or hasattr(lora, "lora_mid"):
            change = lora.get_merged_weight(1.0, weight.shape)[0] - weight
        else:
            change = lora.get_weight(weight.shape) * lora.scalar
        found[paths[lora.lora_name]] = change.detach()
    return found


def lycoris_reads_its_wrapper_form():
    for case in ("sd-lora", "sd-dora"):
        out = convert(peft_unet(case), "lycoris")
        same_changes(lycoris_change(out / "lycoris.safetensors", unet(case)), deltas(case))


class Net(nn.Module):
    """Layers of the weights of a PEFT fixture."""

    def __init__(self, weights):
        super().__init__()
        for name, w in weights.items():
            conv = {3: nn.Conv1d, 4: nn.Conv2d}.get(w.dim())
            layer = conv(w.shape[1], w.shape[0], tuple(w.shape[2:])) if conv else nn.Linear(w.shape[1], w.shape[0])
            self.add_module(name, layer)
            layer.weight.data.copy_(w)
        self.requires_grad_(False)


def lycoris_reads_peft_loha_and_lokr():
    # Its loader derives LoKr's factors anew and fails on Tucker cores; whole halves it takes for unscaled.
    for case in ("loha_linear", "loha_conv2d", "lokr_linear", "lokr_conv2d"):
        t = load_file(FIXTURES / f"peft/{case}/case.safetensors")
        want = {name.removeprefix("delta."): d for name, d in t.items() if name.startswith("delta.")}
        net = Net({name: t[f"base.{name}.weight"] for name in want})
        same_changes(lycoris_change(convert(FIXTURES / f"peft/{case}", "lycoris") / "lycoris.safetensors", net), want)


def peft_reads_lycoris_loha_and_lokr():
    from peft import PeftModel
    modules = FIXTURES / "lycoris/modules"
    names = [d.name for d in sorted(modules.iterdir()) if d.name.split("-", 1)[1] in (
        "loha-linear", "loha-conv1x1", "loha-conv3x3", "loha-convasym", "loha-conv3x3-use_tucker", "lokr-linear", "lokr-linear-full_matrix", "lokr-conv3x3-use_tucker",
        "loha-linear-rs_lora", "loha-linear-use_scalar", "locon-linear", "locon-conv3x3-use_tucker", "locon-conv3x3-weight_decompose", "locon-linear-weight_decompose")]
    assert len(names) == 14, names
    for name in names:
        t = load_file(modules / name / "tensors.safetensors")
        home = pathlib.Path(tempfile.mkdtemp(dir=WORK))
        adapter = {"lycoris_layer_" + k.split(".", 1)[0].rsplit("_", 1)[1] + "." + k.split(".", 1)[1]: v for k, v in load_file(modules / name / "adapter.safetensors").items()}
        path = "layer_" + next(iter(adapter)).split(".")[0].rsplit("_", 1)[1]
        save_file(adapter, home / "a.safetensors")
        save_file({f"{path}.weight": t["weight"]}, home / "base.safetensors")
        out = convert(home / "a.safetensors", "peft", "--base", home / "base.safetensors")
        got = changes(PeftModel.from_pretrained(Net({path: t["weight"]}), out))
        close(name, got[path], t.get("file_delta_weight", t["delta_weight"]))


CHECKS = [diffusers_reads_its_own_form, diffusers_reads_kohya, diffusers_reads_kohya_sdxl_names, diffusers_reads_kohya_flux, peft_reads_a_unet,
          lycoris_reads_its_wrapper_form, lycoris_reads_peft_loha_and_lokr, peft_reads_lycoris_loha_and_lokr]

if __name__ == "__main__":
    wanted = sys.argv[1:]
    passed = failed = 0
    for check in CHECKS:
        if wanted and check.__name__ not in wanted:
            continue
        try:
            with torch.no_grad():
                check()
            passed += 1
            print(f"passed {check.__name__}", flush=True)
        except Exception:
            failed += 1
            print(f"FAILED {check.__name__}\n{traceback.format_exc(limit=4)}", flush=True)
    shutil.rmtree(WORK, ignore_errors=True)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    sys.exit(1 if failed or not passed else 0)
