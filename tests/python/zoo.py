#!/usr/bin/env python3
"""The table of known models against transformers: a config with the table's fields gives a model of as many parameters. Needs a built apps/cli. The last line is the sum: "N passed, N failed, N skipped"."""
import json, pathlib, subprocess, warnings

warnings.filterwarnings("ignore")
import torch
import transformers as t

t.utils.logging.set_verbosity_error()
ROOT = pathlib.Path(__file__).resolve().parents[2]
passed = failed = 0
listed = json.loads(subprocess.run(["node", ROOT / "apps/cli/dist/weft.js", "models", "--json"], capture_output=True, text=True, check=True).stdout)
for known in listed["models"]:
    fields = dict(known["config"])
    fields = {key: float(value) if key.endswith("softcapping") else value for key, value in fields.items()}
    config = t.AutoConfig.for_model(fields.pop("model_type"), **fields)
    with torch.device("meta"):
        model = (t.AutoModel if known["architecture"] == "bert" else t.AutoModelForCausalLM).from_config(config)
    model.tie_weights()
    count = sum(p.numel() for p in {id(p): p for p in model.parameters()}.values())
    ok = count == known["parameters"]
    passed, failed = passed + ok, failed + (not ok)
    print("ok  " if ok else "FAIL", known["repo"], f"{known['parameters']:,}" + ("" if ok else f", transformers {count:,}"), flush=True)
print(f"{passed} passed, {failed} failed, 0 skipped")
