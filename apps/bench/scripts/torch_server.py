#!/usr/bin/env python3
"""Times torch on request: one JSON command per line on stdin, one JSON answer per line on stdout.

cuda  {}                              whether torch has a GPU
load  {name, file, shape, dtype, device?}    a tensor from raw little-endian bytes
time  {op, args, threads, seconds, device?}  seconds per call of an operation, called for about so many seconds
model {file, threads}                 loads a language model of a GGUF file, in f32
generate {work, prompt, answer}       seconds per token: of an answer over a cache, or of a prompt
llama {config, rank?}                 a model of the Llama family with random weights, with a LoRA of PEFT if a rank is given, for the operations that begin so
lora  {folder, threads, rank, alpha, seed, learningRate}   puts a LoRA of PEFT on a model and makes its first step, of 1 x 128 tokens
lora steps {rows, tokens, count}      seconds of a step
save  {op, args, file}                raw bytes of the operation's result (f32 unless `keep`)
"""
import importlib.metadata, json, os, sys, time
import torch
import torch.nn.functional as F

torch.set_grad_enabled(False)
DTYPES = dict(f32=torch.float32, f16=torch.float16, bf16=torch.bfloat16, f8e4m3=torch.float8_e4m3fn, f8e5m2=torch.float8_e5m2)
tensors = {}
quantised = {}


def nf4(w, double):
    import bitsandbytes.functional as functional
    return functional.quantize_4bit(w, blocksize=64, quant_type="nf4", compress_statistics=double)[0].view(-1)


def nf4_values(w):
    import bitsandbytes.functional as functional
    if id(w) not in quantised: quantised[id(w)] = functional.quantize_4bit(w, blocksize=64, quant_type="nf4")
    return functional.dequantize_4bit(*quantised[id(w)])


def ggml(w, name, library, size):
    """ggml's C encoder, in a library of llama.cpp."""
    import ctypes
    loaded = ctypes.CDLL(library)
    loaded.ggml_quantize_init(ctypes.c_int(0))
    out = torch.empty(size, dtype=torch.uint8)
    getattr(loaded, f"quantize_row_{name}_ref")(ctypes.c_void_p(w.data_ptr()), ctypes.c_void_p(out.data_ptr()), ctypes.c_int64(w.numel()))
    return out


def gguf_type(w, name):
    import gguf
    return torch.from_numpy(gguf.quants.quantize(w.numpy(), gguf.GGMLQuantizationType[name]))


def processed(logits, history, options):
    from transformers.generation import logits_process as L
    order = dict(repetitionPenalty=L.RepetitionPenaltyLogitsProcessor, temperature=L.TemperatureLogitsWarper, topK=L.TopKLogitsWarper, topP=L.TopPLogitsWarper, typicalP=L.TypicalLogitsWarper)
    for name, kind in order.items():
        if options.get(name): logits = kind(options[name])(history.long(), logits)
    return logits


def sample(logits, history, options):
    logits = processed(logits, history, options)
    return logits.argmax(-1) if options.get("temperature") == 0 else torch.multinomial(logits.softmax(-1), 1)


OPS = {
    "processed": processed,
    "sample": sample,
    "matmul": lambda a, b: torch.matmul(a, b),
    "lora": lambda x, w, a, b, scale: F.linear(x, w) + F.linear(F.linear(x, a), b) * scale,
    "nf4": nf4,
    "nf4_values": nf4_values,
    "ggml": ggml,
    "gguf": gguf_type,
    "cast": lambda x, dtype: x.to(DTYPES[dtype]),
}


class RandomLlama:
    def __init__(self, config, rank=None):
        from transformers import LlamaConfig, LlamaForCausalLM
        self.model = LlamaForCausalLM(LlamaConfig(**config)).eval()
        if rank is None: return
        from peft import LoraConfig, get_peft_model
        self.model = get_peft_model(self.model, LoraConfig(r=rank, target_modules="all-linear", task_type="CAUSAL_LM")).train()
        self.optimizer = torch.optim.AdamW([p for p in self.model.parameters() if p.requires_grad], lr=1e-3)

    @staticmethod
    def tokens(count):
        return torch.tensor([[(i * 31 + 7) % 256 for i in range(count)]])

    def forward(self, count):
        return self.model(self.tokens(count), use_cache=False).logits

    @torch.enable_grad()
    def step(self, count):
        ids = self.tokens(count)
        self.model(ids, labels=ids, use_cache=False).loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()


OPS["llama forward"] = lambda count: tensors["llama"].forward(count)
OPS["llama step"] = lambda count: tensors["llama"].step(count)


def operation(command):
    args = [tensors[a[1:]] if isinstance(a, str) and a.startswith("$") else a for a in command["args"]]
    op = OPS[command["op"]]
    return lambda: op(*args)


def seconds_per_call(run, seconds, finish=lambda: None):
    finish()
    start, calls, batch = time.perf_counter(), 0, 1
    while True:
        for _ in range(batch): run()
        finish()
        calls += batch
        elapsed = time.perf_counter() - start
        if elapsed >= seconds: return elapsed / calls
        if elapsed < seconds / 16: batch *= 2


def language_model(file, threads):
    from transformers import AutoModelForCausalLM
    torch.set_num_threads(threads)
    folder, name = os.path.split(file)
    tensors["model"] = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32).eval()


def generate(work, prompt, answer):
    model, tokens = tensors["model"], torch.randint(100, 40000, (1, prompt if work == "prompt" else 8))
    start = time.perf_counter()
    out = model(tokens, use_cache=True, logits_to_keep=1)
    if work == "prompt": return (time.perf_counter() - start) / prompt
    start = time.perf_counter()
    for _ in range(answer):
        out = model(out.logits[:, -1:].argmax(-1), past_key_values=out.past_key_values, use_cache=True)
    return (time.perf_counter() - start) / answer


class Lora:
    """A LoRA on all linear layers, trained on the batches of suites/train/protocol.ts."""

    def __init__(self, folder, threads, rank, alpha, seed, learningRate):
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForCausalLM
        torch.set_num_threads(threads)
        base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        torch.manual_seed(seed)
        self.model = get_peft_model(base, LoraConfig(r=rank, lora_alpha=alpha, target_modules="all-linear", task_type="CAUSAL_LM")).train()
        self.trained = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.trained, lr=learningRate, weight_decay=0)
        self.number = 0

    @torch.enable_grad()
    def step(self, rows, tokens):
        n, self.number = self.number, self.number + 1
        ids = torch.tensor([[100 + (n * 7919 + r * 1009 + i * 37) % 40000 for i in range(tokens)] for r in range(rows)])
        start = time.perf_counter()
        loss = self.model(input_ids=ids, labels=ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss.item(), time.perf_counter() - start


def answer(command):
    kind = command["cmd"]
    if kind == "lora":
        tensors["lora"] = Lora(**{name: value for name, value in command.items() if name != "cmd"})
        loss, seconds = tensors["lora"].step(1, 128)
        return dict(loss=loss, seconds=seconds, pid=os.getpid())
    if kind == "lora steps":
        steps = [tensors["lora"].step(command["rows"], command["tokens"]) for _ in range(command["count"])]
        return dict(loss=steps[-1][0], seconds=sum(seconds for _, seconds in steps) / len(steps))
    if kind == "llama":
        tensors["llama"] = RandomLlama(command["config"], command.get("rank"))
        return {}
    if kind == "model":
        language_model(command["file"], command["threads"])
        return {}
    if kind == "generate":
        return dict(seconds=generate(command["work"], command["prompt"], command["answer"]))
    if kind == "versions":
        found = {}
        for name in ("torch", "peft", "transformers", "safetensors", "bitsandbytes", "gguf"):
            try: found[name] = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError: pass
        return dict(versions=found)
    if kind == "cuda":
        return dict(available=torch.cuda.is_available())
    if kind == "load":
        data = torch.frombuffer(bytearray(open(command["file"], "rb").read()), dtype=DTYPES[command["dtype"]])
        tensors[command["name"]] = data.reshape(command["shape"]).to(command.get("device", "cpu"))
        return {}
    if kind == "time":
        torch.set_num_threads(command.get("threads", 1))
        finish = torch.cuda.synchronize if command.get("device") == "cuda" else lambda: None
        return dict(seconds=seconds_per_call(operation(command), command["seconds"], finish))
    if kind == "save":
        result = operation(command)().contiguous().cpu()
        if not command.get("keep"): result = result.float()
        open(command["file"], "wb").write(bytes(result.view(torch.uint8).numpy().tobytes()))
        return {}
    raise ValueError(f"unknown command {kind}")


for line in sys.stdin:
    try: result = answer(json.loads(line))
    except Exception as error: result = dict(error=f"{type(error).__name__}: {error}")
    print(json.dumps(result), flush=True)
