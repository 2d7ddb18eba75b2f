#!/usr/bin/env python3
"""Chat templates of weft against transformers. Needs what run.sh installs, and a built tests/golden/dist/answer-chat.js.

Templates of the families (fixtures/make_chat_templates.py) render chats drawn by `--seed S`, 200 each (`--chats N`): texts and spans of what the assistant says must
be the same, and what transformers refuses must be refused. The last line is the sum: "N passed, N failed, N skipped".
"""
import argparse, json, pathlib, random, subprocess, sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "fixtures"))
from make_chat_templates import NOW, TEMPLATES, TOKENS, TOOLS, render

args = argparse.ArgumentParser()
args.add_argument("--seed", type=int, default=0), args.add_argument("--chats", type=int, default=200)
args = args.parse_args()
rng = random.Random(args.seed)
weft = subprocess.Popen(["node", str(ROOT / "tests/golden/dist/answer-chat.js")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
PARTS = ["Hi", " ", "\n", "\n\n", "\t", "é", "日本語", "🙂", "'", '"', "\\", "{{ x }}", "{% if %}", "{# c #}", "<|im_end|>", "</think>", "<think>", "<tool_response>", "</tool_response>", "\u00a0", "\x1f", "\x85", "\ufeff", "\u2028", "&<>", "\x00", "1", "word "]


def text():
    return "".join(rng.choice(PARTS) for _ in range(rng.choice((0, 1, 2, 5, 9))))


def call():
    arguments = rng.choice(({"city": text(), "days": rng.randint(-3, 3)}, {}, {"a": [1, 2.5, None, True, {"b": text()}]}))
    return {"type": "function", "id": "abcdef123", "function": {"name": "get_weather", "arguments": arguments}}


def chat():
    messages = [{"role": "system", "content": text()}] if rng.random() < 0.3 else []
    for _ in range(rng.randint(1, 4)):
        messages.append({"role": "user", "content": text()})
        if rng.random() < 0.15:
            messages += [{"role": "assistant", "content": rng.choice((None, "", text())), "tool_calls": [call() for _ in range(rng.choice((1, 1, 2)))]}, {"role": "tool", "tool_call_id": "abcdef123", "content": text()}]
        answer = {"role": "assistant", "content": text()}
        if rng.random() < 0.1:
            answer[rng.choice(("reasoning", "thinking", "reasoning_content"))] = text()
        messages.append(answer)
    if rng.random() < 0.3:
        messages.pop()
    out = {"messages": messages}
    if rng.random() < 0.3:
        out["tools"] = TOOLS
    if rng.random() < 0.2:
        out["enable_thinking"] = rng.random() < 0.5
    kind = rng.random()
    return out | ({"add_generation_prompt": True} if kind < 0.4 else {"continue_final_message": True} if kind < 0.55 else {})


def ask(template, chat):
    chat = dict(chat)
    messages, tools = chat.pop("messages"), chat.pop("tools", None)
    options = {"now": NOW, "addGenerationPrompt": chat.pop("add_generation_prompt", False), "continueFinalMessage": chat.pop("continue_final_message", False), "variables": chat, **({"tools": tools} if tools else {})}
    weft.stdin.write(json.dumps({"template": template, "tokens": TOKENS, "messages": messages, "options": options}) + "\n"), weft.stdin.flush()
    return json.loads(weft.stdout.readline())


passed = failed = 0
for name, template in TEMPLATES.items():
    refused = 0
    for i in range(args.chats):
        drawn = chat()
        want, got = render(template, drawn), ask(template, drawn)
        refused += "error" in want
        same = got.get("error", "").startswith(("chat-template:", "chat-messages:")) if "error" in want else got.get("text") == want["text"] and ("spans" not in want or got["generationSpans"] == want["spans"])
        passed, failed = passed + same, failed + (not same)
        if not same:
            print(f"FAIL {name} {json.dumps(drawn)}\n  want {json.dumps(want)}\n  got  {json.dumps(got)}", flush=True)
    print(f"{name}: {args.chats} chats, {refused} refused", flush=True)
print(f"{passed} passed, {failed} failed, 0 skipped")
sys.exit(1 if failed or not passed else 0)
