#!/usr/bin/env python3
"""Initial LoRA weights as peft draws them. Usage: make_init.py > init.json   (peft 0.21.2, torch 2.13.0 CPU)

Each case: a seed, a net, a config; the fixture holds A and B of each layer right after get_peft_model, in the order of the layers.
"""
import json, sys, warnings
warnings.filterwarnings("ignore")
import torch
from torch import nn
from peft import LoraConfig, get_peft_model
from transformers.pytorch_utils import Conv1D

NETS = {
    "linear": lambda: nn.Sequential(nn.Linear(5, 7), nn.Linear(7, 3, bias=True)),
    "conv": lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 1)),
    "embedding": lambda: nn.Sequential(nn.Embedding(11, 6), nn.Linear(6, 4)),
    "conv1d": lambda: nn.Sequential(Conv1D(6, 4)),
}
out = []
for name, net, kw in [
    ("default", "linear", {}), ("gaussian", "linear", dict(init_lora_weights="gaussian")), ("random_b", "linear", dict(init_lora_weights=False)),
    ("bias", "linear", dict(lora_bias=True)), ("orthogonal", "linear", dict(init_lora_weights="orthogonal")), ("conv", "conv", {}),
    ("embedding", "embedding", {}), ("fan_in_fan_out", "conv1d", dict(fan_in_fan_out=True)), ("dora", "linear", dict(use_dora=True)),
]:
    torch.manual_seed(1)
    base = NETS[net]()
    weights = {n: p.detach().flatten().tolist() for n, p in base.named_parameters()}
    layers = [dict(type=type(m).__name__, shape=list(m.weight.shape), bias=m.weight is not None and getattr(m, "bias", None) is not None) for m in base]
    torch.manual_seed(7)
    model = get_peft_model(base, LoraConfig(r=2, target_modules=[str(i) for i in range(len(layers))], **kw))
    params = {n.removeprefix("base_model.model.").replace(".default", ""): dict(shape=list(p.shape), values=p.detach().flatten().tolist())
              for n, p in model.named_parameters() if "lora_" in n}
    out.append(dict(name=name, config=kw, layers=layers, weights=weights, params=params))
json.dump(dict(peft="0.21.2", torch=torch.__version__, seed=7, cases=out), sys.stdout)
