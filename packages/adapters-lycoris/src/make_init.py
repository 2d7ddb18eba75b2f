#!/usr/bin/env python3
"""Initial LoHa and LoKr parameters as peft draws them. Usage: make_init.py > init.fixture.json   (peft 0.21.2, torch 2.13.0 CPU)

Each case: a config; the fixture holds the parameters of each layer right after get_peft_model, in the order of the layers.
"""
import json, sys, warnings
warnings.filterwarnings("ignore")
import torch
from torch import nn
from peft import LoHaConfig, LoKrConfig, get_peft_model

TYPES = {"LOHA": LoHaConfig, "LOKR": LoKrConfig}
out = []
for name, method, kw in [
    ("loha", "LOHA", {}), ("loha random", "LOHA", dict(init_weights=False)), ("loha Tucker", "LOHA", dict(use_effective_conv2d=True)),
    ("lokr", "LOKR", {}), ("lokr random", "LOKR", dict(init_weights=False)), ("lokr lycoris", "LOKR", dict(init_weights="lycoris")),
    ("lokr whole", "LOKR", dict(r=6)), ("lokr both", "LOKR", dict(r=1, decompose_both=True, decompose_factor=3)),
    ("lokr Tucker", "LOKR", dict(r=1, use_effective_conv2d=True)), ("lokr Tucker lycoris", "LOKR", dict(r=1, use_effective_conv2d=True, init_weights="lycoris")),
]:
    base = nn.Sequential(nn.Linear(6, 18), nn.Conv2d(18, 12, (3, 2), groups=2), nn.Conv1d(12, 8, 3), nn.Conv2d(8, 6, 1))
    layers = [dict(type=type(m).__name__, shape=list(m.weight.shape), groups=getattr(m, "groups", 1)) for m in base]
    torch.manual_seed(7)
    model = get_peft_model(base, TYPES[method](**{"r": 2, **kw}, target_modules=[str(i) for i in range(len(layers))]))
    params = {n.removeprefix("base_model.model.").replace(".default", ""): dict(shape=list(p.shape), values=p.detach().flatten().tolist())
              for n, p in model.named_parameters() if p.requires_grad}
    out.append(dict(name=name, method=method, config=kw, layers=layers, params=params))
json.dump(dict(peft="0.21.2", torch=torch.__version__, seed=7, cases=out), sys.stdout)
