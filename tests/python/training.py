#!/usr/bin/env python3
"""The built `weft train` on the real SmolLM2-135M against torch and PEFT. Needs what run.sh installs, and a built apps/cli.

A LoRA on all linear layers is trained from the GGUF file as it is, and from NF4: losses and norms of gradients must be those of torch + PEFT on the dequantised weights, from
the numbers that PEFT draws for the seed on; and PEFT must open the adapter and give its logits. The last line is the sum: "N passed, N failed, N skipped".
"""
import json, os, pathlib, sys, tempfile, warnings

os.environ["HF_HUB_OFFLINE"] = "1"
warnings.filterwarnings("ignore")
import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from real_model import FILE, in_nf4, run, weft
from transformers import AutoModelForCausalLM, AutoTokenizer

WORK = pathlib.Path(tempfile.mkdtemp(prefix="weft-training-"))
RATE, SEED, RANK = 1e-3, 42, 8
# Sums of f32 in another order over 30 blocks, fed back over the steps.
TOLERANCE = 1e-3
CHATS = [("Who are you?", "I am a pirate. Arr!"), ("Tell me about the sea.", "Arr, the sea be deep and blue!"), ("What do you eat?", "Arr, I eat fish and drink rum!"), ("Hello", "Ahoy, matey! Arr!")]
HEADER, END = "<|im_start|>assistant\n", "<|im_end|>\n"
transformers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()
torch.set_num_threads(2)


def batch(tokenizer):
    """All chats in one batch: what follows the assistant's header is trained on."""
    system = "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
    rows = []
    for asked, told in CHATS:
        before = tokenizer(f"{system}<|im_start|>user\n{asked}{END}{HEADER}", add_special_tokens=False).input_ids
        answer = tokenizer(f"{told}{END}", add_special_tokens=False).input_ids
        rows.append((before + answer, [-100] * len(before) + answer))
    longest = max(len(ids) for ids, _ in rows)
    filled = lambda values, fill: torch.tensor([v + [fill] * (longest - len(v)) for v in values])
    return dict(input_ids=filled([r[0] for r in rows], 2), labels=filled([r[1] for r in rows], -100), attention_mask=filled([[1] * len(r[0]) for r in rows], 0))


def in_torch(base, data, steps):
    torch.manual_seed(SEED)
    model = get_peft_model(base, LoraConfig(r=RANK, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")).train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=RATE, weight_decay=0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (steps - step) / steps)
    records = []
    for _ in range(steps):
        loss = model(**data).loss
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step(), schedule.step(), optimizer.zero_grad()
        records.append((loss.item(), norm.item()))
    return records, model.eval()


def equal_runs(model, out, base, data, steps):
    records = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    ours = [(r["loss"], r["gradNorm"]) for r in records if "gradNorm" in r]
    assert len(ours) == steps, f"{len(ours)} steps of {steps}"
    theirs, peft = in_torch(base, data, steps)
    worst = max(abs(a - b) / max(1, abs(b)) for one, other in zip(ours, theirs) for a, b in zip(one, other))
    assert worst < TOLERANCE, f"{worst:.1e}: {ours} against {theirs}"
    with torch.no_grad():
        want = peft(data["input_ids"][:1]).logits
        loaded = PeftModel.from_pretrained(peft.unload(), out).eval()(data["input_ids"][:1]).logits
    # The two adapters have been trained apart: their logits are as near as the steps left them.
    gap = ((loaded - want).abs().max() / want.abs().max()).item()
    assert gap < 2e-2, f"PEFT's logits of the adapter are {gap:.1e} from those of its own"
    return f"{steps} steps, losses and norms {worst:.1e}, logits in PEFT {gap:.1e}"


def checks(home):
    data_file = WORK / "chats.jsonl"
    data_file.write_text("".join(json.dumps(dict(messages=[dict(role="user", content=a), dict(role="assistant", content=b)])) + "\n" for a, b in CHATS))

    def trained(model, out, steps):
        weft("train", "-m", model, "--data", data_file, "-o", out, "--max-steps", steps, "--batch-size", len(CHATS), "--lr", RATE, "--rank", RANK, "--seed", SEED, "--device", "cpu", "--quiet")
        return out

    data = batch(AutoTokenizer.from_pretrained(home, gguf_file=FILE))
    base = lambda: AutoModelForCausalLM.from_pretrained(home, gguf_file=FILE, dtype=torch.float32)
    yield "from the GGUF file", lambda: equal_runs(home / FILE, trained(home / FILE, WORK / "gguf", 20), base(), data, 20)
    nf4, back = in_nf4(home, WORK)
    yield "from NF4", lambda: equal_runs(nf4, trained(nf4, WORK / "nf4-lora", 5), AutoModelForCausalLM.from_pretrained(back, dtype=torch.float32), data, 5)


sys.exit(run(checks))
