#!/usr/bin/env python3
"""Texts that the built weft generates from the real SmolLM2-135M against transformers and PEFT. Needs what run.sh installs, and a built apps/cli.

Greedy tokens from the GGUF file and from NF4, with and without a LoRA made by PEFT, must be those of transformers on the dequantised weights, up to the first step at which
two tokens are nearly as likely; and what a server answers eight clients at once, of whom each asks for one of four adapters, must be what each gets alone. The last line is the sum: "N passed, N failed, N skipped".
"""
import concurrent.futures, json, os, pathlib, subprocess, sys, tempfile, urllib.request, warnings

os.environ["HF_HUB_OFFLINE"] = "1"
warnings.filterwarnings("ignore")
import torch
import transformers
from peft import LoraConfig, get_peft_model
from real_model import FILE, ROOT, in_nf4, run, weft
from transformers import AutoModelForCausalLM

WORK = pathlib.Path(tempfile.mkdtemp(prefix="weft-generation-"))
COUNT = 24
# Kernels sum in another order: logits of up to 25 differ by less.
NEAR = 1e-2
transformers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()
torch.manual_seed(0)
torch.set_grad_enabled(False)


def generated(model, text, *more):
    out = weft("generate", "-m", model, "-p", text, "-n", COUNT, "-t", 0, "--device", "cpu", "--json", *more)
    return json.loads(out.splitlines()[-1])["tokens"]


def equal(ours, model, ids):
    """Compares with the greedy continuation, and says how many steps count."""
    out = model.generate(torch.tensor([ids]), max_new_tokens=COUNT, do_sample=False, output_logits=True, return_dict_in_generate=True, eos_token_id=[2], pad_token_id=2)
    theirs = out.sequences[0, len(ids) :].tolist()
    for step, logits in enumerate(out.logits):
        top = logits[0].topk(2).values
        if top[0] - top[1] < NEAR:
            return f"{step} steps"
        assert ours[step] == theirs[step], f"step {step}: {ours[step]}, transformers {theirs[step]}"
    assert len(ours) == len(theirs), f"{len(ours)} tokens, transformers {len(theirs)}"
    return f"{len(theirs)} tokens"


def with_lora(base, seed):
    torch.manual_seed(seed)
    model = get_peft_model(base, LoraConfig(r=8, lora_alpha=16, target_modules="all-linear")).eval()
    for n, p in model.named_parameters():
        if "lora_B" in n:
            p.data.normal_(0, .02)
    adapter = WORK / f"lora{seed}"
    model.save_pretrained(adapter)
    return model, adapter


def served(model, adapters, prompts):
    """Answers of a server to all prompts at once, by the adapters in turn, and to one after the other."""
    names = list(adapters)
    arguments = [x for name, path in adapters.items() for x in ("-a", f"{name}={path}")]
    server = subprocess.Popen(["node", str(ROOT / "apps/cli/dist/weft.js"), "serve", "-m", str(model), *arguments, "--port", "0", "--no-token", "--device", "cpu", "--json"], stdout=subprocess.PIPE, text=True)
    try:
        url = next(event["url"] for event in map(json.loads, server.stdout) if event.get("event") == "listening")

        def ask(i):
            body = dict(model=names[i % len(names)], prompt=prompts[i], max_tokens=COUNT, temperature=0)
            request = urllib.request.Request(f"{url.rstrip('/').removesuffix('/v1')}/v1/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
            return json.load(urllib.request.urlopen(request))["choices"][0]["text"]

        with concurrent.futures.ThreadPoolExecutor(len(prompts)) as pool:
            together = list(pool.map(ask, range(len(prompts))))
        return together, [ask(i) for i in range(len(prompts))]
    finally:
        server.terminate()
        server.wait()


def batch_equals_singles(model, adapters, prompts):
    together, alone = served(model, adapters, prompts)
    assert together == alone, f"{together} and alone {alone}"
    assert len(set(alone)) > len(adapters), "the answers do not differ"
    return f"{len(prompts)} answers"


def checks(home):
    chats = json.loads((ROOT / "fixtures/models/smollm2/expect.json").read_text())["chats"]
    base = AutoModelForCausalLM.from_pretrained(home, gguf_file=FILE, dtype=torch.float32).eval()
    for i, chat in enumerate(chats):
        yield f"Q4_1, chat {i}", lambda c=chat: equal(generated(home / FILE, c["text"]), base, c["input_ids"])
    for seed in (1, 2):
        model, adapter = with_lora(base, seed)
        chat = chats[seed % len(chats)]
        yield f"Q4_1 with LoRA {seed}", lambda a=adapter, m=model, c=chat: equal(generated(home / FILE, c["text"], "-a", a), m, c["input_ids"])
        base = model.unload()
    adapters = {}
    for seed in range(4):
        model, adapters[f"lora{seed}"] = with_lora(base, 10 + seed)
        base = model.unload()
    prompts = [f"Question {i}: what is the capital of {place}? Answer:" for i, place in enumerate(["France", "Spain", "Peru", "Japan", "Kenya", "Italy", "Chile", "Egypt"])]
    yield "eight clients and four adapters at once", lambda: batch_equals_singles(home / FILE, adapters, prompts)
    nf4, back = in_nf4(home, WORK)
    base = AutoModelForCausalLM.from_pretrained(back, dtype=torch.float32).eval()
    yield "NF4", lambda: equal(generated(nf4, chats[0]["text"]), base, chats[0]["input_ids"])
    model, adapter = with_lora(base, 3)
    yield "NF4 with a LoRA", lambda: equal(generated(nf4, chats[0]["text"], "-a", adapter), model, chats[0]["input_ids"])


sys.exit(run(checks))
