#!/usr/bin/env python3
"""Checkpoints that weft merged are read by transformers, and give the logits of PEFT's unmerged model: families whose names differ between disk and model.

Every adapter of fixtures/names on every form of its base. The last line is the sum: "N passed, N failed, N skipped".
"""
import os, pathlib, subprocess, sys, tempfile, traceback, warnings

os.environ["HF_HUB_OFFLINE"] = "1"
warnings.filterwarnings("ignore")
import torch
import transformers
from peft import PeftModel

transformers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()
torch.set_num_threads(1)
ROOT = pathlib.Path(__file__).resolve().parents[2]
WEFT = os.environ.get("WEFT", str(ROOT / "apps/cli/dist/weft.js"))
IDS = torch.tensor([[5, 6, 7, 8, 3, 4]])


def run(model):
    """Logits, or the last hidden states of a model without a head; of an image where it takes one alone."""
    given = {"pixel_values": torch.linspace(-1, 1, 192).view(1, 3, 8, 8)} if model.main_input_name == "pixel_values" else {"input_ids": IDS}
    return model(**given)[0]


def load(folder):
    config = transformers.AutoConfig.from_pretrained(folder)
    return getattr(transformers, config.architectures[0]).from_pretrained(folder).eval()


@torch.no_grad()
def check(base, adapter):
    want = run(PeftModel.from_pretrained(load(base), adapter).eval().base_model.model)
    plain = run(load(base))
    with tempfile.TemporaryDirectory() as out:
        merge = subprocess.run(["node", WEFT, "merge", base, "-a", adapter, "-o", f"{out}/merged"], capture_output=True, text=True)
        assert merge.returncode == 0, merge.stderr
        got = run(load(f"{out}/merged"))
    moved, off = (want - plain).abs().max().item(), (got - want).abs().max().item()
    assert moved > 1e-2, f"the adapter moves logits by {moved} only"
    assert off < 1e-4, f"logits are off by {off}"


passed = failed = 0
for adapter in sorted((ROOT / "fixtures/names").glob("*/*/adapter_config.json")):
    for form in ("base", "model"):
        base = adapter.parents[1] / form
        if not (base / "config.json").exists():
            continue
        label = f"{base.parent.name}: {adapter.parent.name} on {form}"
        try:
            check(base, adapter.parent)
            passed += 1
        except Exception:
            failed += 1
            print(label, "FAILED", file=sys.stderr)
            traceback.print_exc()
print(f"{passed} passed, {failed} failed, 0 skipped")
sys.exit(failed > 0)
