#!/usr/bin/env python3
"""DoRA on a grouped convolution, run by the real `peft` library: writes dora.fixture.json beside this file."""
import json, os, warnings
os.environ["HF_HUB_OFFLINE"] = "1"
warnings.filterwarnings("ignore")
import torch, peft
from torch import nn
from peft import LoraConfig, get_peft_model

torch.set_num_threads(1)
torch.manual_seed(0)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 6, 3, padding=1, groups=2)
    def forward(self, x): return self.conv(x)

@torch.no_grad()
def main():
    base = Net().eval()
    weight, bias = base.conv.weight.clone(), base.conv.bias.clone()
    model = get_peft_model(base, LoraConfig(r=2, lora_alpha=3, use_dora=True, target_modules=["conv"])).eval()
    layer = model.base_model.model.conv
    start = layer.lora_magnitude_vector["default"].weight.clone()
    for p in model.parameters():
        if p.requires_grad: p.add_(torch.randn(p.shape) * .2)
    x = torch.randn(1, 4, 3, 4)
    numbers = lambda t: dict(shape=list(t.shape), values=[round(float(v), 9) for v in t.flatten()])
    tensors = dict(weight=weight, bias=bias, start=start, A=layer.lora_A["default"].weight, B=layer.lora_B["default"].weight,
                   magnitude=layer.lora_magnitude_vector["default"].weight, x=x, y=model(x))
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "dora.fixture.json"), "w") as f:
        json.dump(dict(peft=peft.__version__, torch=torch.__version__) | {k: numbers(v) for k, v in tensors.items()}, f)

main()
