"""examples/scale-out/ray_merge.py, against `weft merge`: the same files, byte for byte. Says so and does nothing where Ray is not installed."""

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WEFT = ["node", str(ROOT / "apps/cli/dist/weft.js")]
BASE, ADAPTER = (str(ROOT / "fixtures/peft" / name) for name in ("llama_base", "llama_dora_all_linear"))
SHARES = 3


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def main() -> None:
    if importlib.util.find_spec("ray") is None:
        print("Ray is not installed (pip install ray)")
        print("0 passed, 0 failed, 1 skipped")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plan = str(folder / "plan.json")
        subprocess.run([*WEFT, "merge", BASE, "-a", ADAPTER, "-o", str(folder / "whole"), "--quiet"], check=True)
        subprocess.run([*WEFT, "plan", BASE, "-a", ADAPTER, "-o", plan, "--quiet"], check=True)
        example = str(ROOT / "examples/scale-out/ray_merge.py")
        environment = {**os.environ, "WEFT": " ".join(WEFT)}
        subprocess.run([sys.executable, example, plan, str(folder / "shares"), str(SHARES)], check=True, env=environment)
        whole, shares = files(folder / "whole"), files(folder / "shares")
        assert whole.keys() == shares.keys(), (sorted(whole), sorted(shares))
        different = [path for path in whole if whole[path] != shares[path]]
        assert not different, f"not what weft merge writes: {different}"
        print(f"{len(whole)} files of {SHARES} shares are what weft merge writes, byte for byte")
        print("1 passed, 0 failed, 0 skipped")


if __name__ == "__main__":
    main()
