#!/usr/bin/env python3
"""Adapters of other methods for the synthetic checkpoint, as PEFT writes them, with values that change something. Usage: make_adapters.py BASE OUT"""
import sys
import torch
from peft import LoKrConfig, LoraConfig, OFTConfig, get_peft_model
from transformers import AutoModelForCausalLM

base, out = sys.argv[1:]
torch.manual_seed(1)
common = {"task_type": "CAUSAL_LM", "target_modules": "all-linear"}
configs = {
    "DoRA": LoraConfig(r=16, lora_alpha=32, use_dora=True, init_lora_weights=False, **common),
    "LoKr": LoKrConfig(r=16, alpha=16, init_weights=False, **common),
    "OFT": OFTConfig(oft_block_size=32, init_weights=False, **common),
}
for name, config in configs.items():
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base, dtype="auto"), config)
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            # As small as what training leaves: the size of a magnitude is that of its weight.
            if parameter.requires_grad and "magnitude" not in parameter_name:
                parameter.normal_(0, 0.02)
    model.save_pretrained(f"{out}/{name}")
