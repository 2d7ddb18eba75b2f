#!/usr/bin/env python3
"""What `weft quantize --to nf4` is measured against: transformers with bitsandbytes on the CPU, file to file.   Usage: quantize_bnb.py BASE OUT"""
import sys
import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

base, out = sys.argv[1:]
config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16)
AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16, quantization_config=config, device_map="cpu").save_pretrained(out)
