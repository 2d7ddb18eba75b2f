#!/usr/bin/env python3
"""The reverse direction: adapters that weft wrote load in PEFT and give the outputs that weft gave.

Every case of fixtures/peft, fixtures/variants and fixtures/modelwide twice: read and written again, and created new from the same config with random
parameters. tests/golden/dist/write-adapters.js writes them. Arguments: beginnings of cases (`variants/hira`), all if none. The last line is the sum: "N passed, N failed, N skipped".
"""
import copy, json, os, pathlib, runpy, shutil, subprocess, sys, tempfile, traceback, warnings

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["PYTHONHASHSEED"] = "0"
warnings.filterwarnings("ignore")
import torch
import peft.tuners.boft.layer as boft_layer
from peft import PeftModel
from safetensors.torch import load_file, save_file
import transformers
from transformers import AutoModelForCausalLM

transformers.utils.logging.disable_progress_bar()

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = pathlib.Path(os.environ.get("WEFT_WORK") or tempfile.mkdtemp(prefix="weft-adapters-"))
# The networks of the fixtures, as their generator builds them.
ONLY = sys.argv[1:]
sys.argv = ["make.py", "--out", str(WORK)]
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
MAKE = {suite: runpy.run_path(str(ROOT / f"fixtures/make_{suite}.py"), run_name="generator") for suite in ("peft", "variants", "modelwide")}


# What PEFT 0.21.2 cannot read though its own config asks for it.
DEFECTS = {
    "variants/hira_linear (new)": "PEFT ignores HiRA's rank_pattern, so that a layer with a rank of its own does not fit",
    "variants/c3a_linear (new)": "PEFT ignores C3A's block_size_pattern",
}


def base_of(case, fixture):
    if case["base"].endswith("_base"):
        return AutoModelForCausalLM.from_pretrained(pathlib.Path(case["fixture"]).parent / case["base"]).eval()
    base = MAKE[case["suite"]]["BASES"][case["base"]][0]().eval()
    weights = {k.removeprefix("base."): v for k, v in fixture.items() if k.startswith("base.")}
    dtype = next(iter(weights.values())).dtype
    base.to(dtype).load_state_dict(weights)
    return base


@torch.no_grad()
def check(case):
    fixture = load_file(pathlib.Path(case["fixture"]) / "case.safetensors")
    home = pathlib.Path(case["folder"])
    os.chdir(home)  # where PEFT looks for the experts of X-LoRA
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        auto = json.loads((pathlib.Path(case["fixture"]) / "case.json").read_text()).get("autocast_adapter_dtype", True)
        model = PeftModel.from_pretrained(base_of(case, fixture), home, autocast_adapter_dtype=auto).eval()
    # RandLoRA's shared bases are always reported as missing, also for files that PEFT wrote.
    missing = [str(w.message) for w in caught if "missing" in str(w.message).lower() and "randlora_A" not in str(w.message)]
    assert not missing, missing[0][:300]
    if case["merged"]:
        model = model.merge_and_unload()
    tasks = {"task_ids": fixture["task_ids"]} if "task_ids" in fixture else {}
    if case["base"].endswith("_base"):
        y = model(input_ids=fixture["ids"], attention_mask=fixture["mask"], **tasks).logits
    else:  # a PeftModel without a task hands task ids on to no tuner
        y = (model.base_model if tasks else model)(fixture["x"], **tasks)
    want = load_file(home / "expected.safetensors")["y"]
    assert y.shape == want.shape, f"{list(y.shape)} instead of {list(want.shape)}"
    gap = (y.float() - want.float()).abs().max().item() / max(1, want.float().abs().max().item())
    assert gap <= case["tolerance"], f"outputs differ by {gap:.1e}, tolerance {case['tolerance']:.0e}"


def own_file_differs(case):
    """Whether PEFT gives other outputs than it recorded from the file that it wrote itself: FRoD takes half of a decomposition from the file and
    computes the other half anew, which fits only where the linear algebra of both machines agrees."""
    recorded = load_file(pathlib.Path(case["fixture"]) / "case.safetensors")
    with tempfile.TemporaryDirectory() as home:
        for name in ("adapter_config.json", "adapter_model.safetensors"):
            shutil.copy(pathlib.Path(case["fixture"]) / name, home)
        save_file({"y": recorded["y_adapter"]}, pathlib.Path(home) / "expected.safetensors")
        try:
            check({**case, "folder": home})
            return False
        except AssertionError:
            return True
        finally:
            os.chdir(ROOT)


if __name__ == "__main__":
    real = boft_layer.get_fbd_cuda, boft_layer.FastBlockDiag
    done = subprocess.run(["node", str(ROOT / "tests/golden/dist/write-adapters.js"), str(ROOT / "fixtures"), str(WORK), *ONLY], capture_output=True, text=True)
    if done.returncode != 0:
        print(done.stdout + done.stderr + "\n0 passed, 1 failed, 0 skipped")
        sys.exit(1)
    passed = failed = skipped = 0
    for case in json.loads((WORK / "index.json").read_text()):
        label = f"{case['suite']}/{case['name']} ({case['kind']})"
        if label in DEFECTS:
            skipped += 1
            print(f"skipped {label}: {DEFECTS[label]}")
            continue
        # PEFT's block-diagonal op is CUDA only; without it every factor count is forced to 1.
        boft_layer.get_fbd_cuda, boft_layer.FastBlockDiag = ((lambda: True), MAKE["peft"]["BlockDiagCPU"]) if case["name"].startswith("boft_b") else real
        try:
            check(case)
            passed += 1
        except Exception as error:
            if case["kind"] == "loaded" and own_file_differs(case):
                skipped += 1
                print(f"skipped {label}: here PEFT reads the file that it wrote itself otherwise than it recorded")
                continue
            failed += 1
            print(f"FAILED {label}: {str(error)[:400]}", flush=True)
    shutil.rmtree(WORK, ignore_errors=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed or not passed else 0)
