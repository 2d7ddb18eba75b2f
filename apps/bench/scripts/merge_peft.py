#!/usr/bin/env python3
"""The merge that `weft merge` is measured against: PEFT on the CPU. Usage: merge_peft.py BASE ADAPTER OUT [THREADS]"""
import sys
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

base, adapter, out, *threads = sys.argv[1:]
torch.set_num_threads(int(threads[0]) if threads else 2)
model = AutoModelForCausalLM.from_pretrained(base, dtype="auto")
PeftModel.from_pretrained(model, adapter).merge_and_unload().save_pretrained(out, max_shard_size="600MB")
