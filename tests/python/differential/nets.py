"""Small networks of every kind of layer, and tiny models of transformers; what weft is told of their layers."""
import torch, transformers
from torch import nn
from transformers.pytorch_utils import Conv1D


class Chain(nn.Module):
    """Layers applied in order with tanh between them. `inputs` is a shape, or "ids" for rows of token numbers."""

    def __init__(self, inputs, **layers):
        super().__init__()
        self.inputs, self.order = inputs, list(layers)
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x):
        for i, name in enumerate(self.order):
            x = getattr(self, name)(torch.tanh(x) if i else x)
        return x

    def example(self, rng, dtype):
        if self.inputs == "ids":
            return torch.from_numpy(rng.integers(0, 19, (3, 5)))
        return torch.from_numpy(rng.standard_normal((3, *self.inputs)).astype("f4")).to(dtype)


def conv(kind, i, o, k, **kw):
    return {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}[kind](i, o, k, **kw)


NETS = {
    "mlp": lambda: Chain((5, 24), lin0=nn.Linear(24, 40), norm=nn.LayerNorm(40), lin1=nn.Linear(40, 24, bias=False), head=nn.Linear(24, 10)),
    "square": lambda: Chain((5, 16), lin0=nn.Linear(16, 16), lin1=nn.Linear(16, 16, bias=False), head=nn.Linear(16, 6)),
    "embedding": lambda: Chain("ids", emb=nn.Embedding(19, 16), lin0=nn.Linear(16, 24), head=nn.Linear(24, 6)),
    "gpt": lambda: Chain((5, 16), c_attn=Conv1D(48, 16), c_proj=Conv1D(16, 48), lin=nn.Linear(16, 6)),
    "conv1d": lambda: Chain((4, 9), conv0=conv(1, 4, 6, 3, stride=2, padding=1), conv1=conv(1, 6, 5, 1)),
    "conv2d": lambda: Chain((4, 7, 6), conv0=conv(2, 4, 6, 3, stride=2, padding=1), conv1=conv(2, 6, 4, 1, bias=False)),
    "conv3d": lambda: Chain((2, 5, 6, 5), conv0=conv(3, 2, 4, 3, padding=1), conv1=conv(3, 4, 4, 1)),
    "grouped": lambda: Chain((8, 9), conv0=conv(1, 8, 8, 3, padding=1, groups=2), conv1=conv(1, 8, 4, 1)),
}

SIZE = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, vocab_size=64, max_position_embeddings=64)
MLP = dict(intermediate_size=48)
IDS = dict(pad_token_id=0, bos_token_id=1, eos_token_id=2)
MODELS = {
    "llama": lambda: transformers.LlamaForCausalLM(transformers.LlamaConfig(**SIZE, **MLP, **IDS, num_key_value_heads=2)),
    "llama_tied": lambda: transformers.LlamaForCausalLM(transformers.LlamaConfig(**SIZE, **MLP, **IDS, tie_word_embeddings=True)),
    "qwen3": lambda: transformers.Qwen3ForCausalLM(transformers.Qwen3Config(**SIZE, **MLP, num_key_value_heads=2, head_dim=8, tie_word_embeddings=False)),
    "gemma": lambda: transformers.GemmaForCausalLM(transformers.GemmaConfig(**SIZE, **MLP, **IDS, num_key_value_heads=1, head_dim=8)),
    "mixtral": lambda: transformers.MixtralForCausalLM(transformers.MixtralConfig(**SIZE, **MLP, **IDS, num_key_value_heads=2, num_local_experts=3)),
    "gpt2": lambda: transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=64, n_positions=64, n_embd=32, n_layer=2, n_head=4)),
    "gpt_neox": lambda: transformers.GPTNeoXForCausalLM(transformers.GPTNeoXConfig(**SIZE, **MLP)),
    "opt": lambda: transformers.OPTForCausalLM(transformers.OPTConfig(vocab_size=64, hidden_size=32, ffn_dim=48, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=64, word_embed_proj_dim=32)),
    "bert": lambda: transformers.BertForSequenceClassification(transformers.BertConfig(**SIZE, **MLP, num_labels=3)),
    "vit": lambda: transformers.ViTForImageClassification(transformers.ViTConfig(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, image_size=8, patch_size=4, num_labels=3)),
    "t5": lambda: transformers.T5ForConditionalGeneration(transformers.T5Config(vocab_size=64, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4, decoder_start_token_id=0)),
}


def example_of(model, rng, dtype):
    """Keyword arguments of a forward pass."""
    if isinstance(model, Chain):
        return dict(x=model.example(rng, dtype))
    if isinstance(model, transformers.ViTForImageClassification):
        return dict(pixel_values=torch.from_numpy(rng.standard_normal((2, 3, 8, 8)).astype("f4")).to(dtype))
    ids = torch.from_numpy(rng.integers(3, 60, (2, 7)))
    return dict(input_ids=ids, decoder_input_ids=ids) if model.config.is_encoder_decoder else dict(input_ids=ids)


def raw_parameters(model, dtype):
    """Weights that a module uses itself instead of through a layer: stacks of experts, and routers, which are linear."""
    for path, module in model.named_modules():
        for name, p in module.named_parameters(recurse=False):
            spec = dict(shape=list(p.shape), dtype=dtype, bias=False)
            if p.dim() == 3 and describe(module, dtype) is None:
                yield dict(path=f"{path}.{name}", layer=spec | dict(kind="parameter", transposed=bool(getattr(module, "is_transposed", False))))
            elif name == "weight" and type(module).__name__.endswith("Router"):
                yield dict(path=path, layer=spec | dict(kind="linear"))


def describe(module, dtype):
    """A layer as weft sees it, or None for what is none."""
    weight = getattr(module, "weight", None)
    if not isinstance(weight, torch.Tensor):
        return None
    bias = isinstance(getattr(module, "bias", None), torch.Tensor)
    base = dict(shape=list(weight.shape), dtype=dtype, bias=bias)
    if isinstance(module, nn.Linear):
        return base | dict(kind="linear")
    if isinstance(module, Conv1D):
        return base | dict(kind="linear", transposed=True)
    if isinstance(module, nn.Embedding):
        return base | dict(kind="embedding")
    if isinstance(module, nn.LayerNorm):
        return base | dict(kind="norm", norm=dict(kind="layer", eps=module.eps))
    if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Conv3d)):
        if isinstance(module.padding, str) or module.padding_mode != "zeros":
            return None
        geometry = dict(stride=list(module.stride), padding=list(module.padding), dilation=list(module.dilation), groups=module.groups)
        return base | dict(kind=f"conv{weight.dim() - 2}d", conv=geometry)
    if type(module).__name__.endswith("RMSNorm"):
        return base | dict(kind="norm", norm=dict(kind="rms", eps=getattr(module, "variance_epsilon", getattr(module, "eps", 1e-6))))
    return None
