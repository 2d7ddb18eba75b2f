#!/usr/bin/env python3
"""The extraction that `weft extract` is measured against: torch.svd_lowrank on the CPU. Usage: extract_torch.py BASE TUNED OUT RANK [THREADS]"""
import json
import os
import sys
import torch
from safetensors import safe_open
from safetensors.torch import save_file

base, tuned, out, rank, *threads = sys.argv[1:]
rank = int(rank)
torch.set_num_threads(int(threads[0]) if threads else 2)
torch.manual_seed(0)
factors, lost = {}, []
for name in sorted(n for n in os.listdir(base) if n.endswith(".safetensors")):
    with safe_open(os.path.join(base, name), "pt") as a, safe_open(os.path.join(tuned, name), "pt") as b:
        for key in a.keys():
            if not key.endswith("_proj.weight"):
                continue
            delta = b.get_tensor(key).float() - a.get_tensor(key).float()
            # As many columns beyond the rank, and as many power iterations, as weft has.
            u, s, v = torch.svd_lowrank(delta, q=rank + 10, niter=2)
            squares = delta.square().sum().item()
            lost.append(max(0.0, 1 - s[:rank].square().sum().item() / squares) ** 0.5)
            module = "base_model.model." + key[: -len(".weight")]
            factors[f"{module}.lora_A.weight"] = v[:, :rank].T.contiguous()
            factors[f"{module}.lora_B.weight"] = (u[:, :rank] * s[:rank]).contiguous()
os.makedirs(out, exist_ok=True)
save_file(factors, os.path.join(out, "adapter_model.safetensors"))
targets = sorted({key.split(".")[-3] for key in factors})
with open(os.path.join(out, "adapter_config.json"), "w") as f:
    json.dump({"peft_type": "LORA", "r": rank, "lora_alpha": rank, "target_modules": targets}, f)
print(json.dumps({"residual": sum(lost) / len(lost)}))
