"""weft against PEFT on many configurations: merged by the built command line, plain and safe; run by the library, with one and several adapters; saved again.

usage: python tests/python/differential [--seed N] [--count M] [--only METHOD] [--keep FOLDER] [CASE …]
With PEFT_TESTS=<a checkout of PEFT>/tests the configurations of PEFT's own suite come first. The last line is the sum: "N passed, N failed, N skipped".
"""
import argparse, collections, os, pathlib, shutil, sys, tempfile, warnings

os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "TOKENIZERS_PARALLELISM": "false", "TQDM_DISABLE": "1"}
warnings.filterwarnings("ignore")
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import torch, transformers
from safetensors.torch import load_file
from judge import INCONSISTENT, REFUSALS, TOLERANCE, gap, judge, name_of
from oracle import PeerRefuses, folder_tensors, forward_with, prepare
from peft_cases import peft_cases
from random_cases import random_cases
from weft import Library, end_merge, start_merge

torch.set_num_threads(1)
transformers.utils.logging.disable_progress_bar()


def refusal(kind, message):
    if kind == "crash":
        return "CRASH", message
    why = next((why for part, why in REFUSALS.items() if part in message), None)
    return ("refused" if why else "REFUSED"), f"{kind}: {message}"


def merges(case, home, expected, dtype):
    runs = {safe: start_merge(home, [f"a{i}" for i in range(len(case.configs))], home / f"out-{safe}", safe) for safe in (False, True)}
    for safe, process in runs.items():
        label = "merge --safe" if safe else "merge"
        error, want = end_merge(process), expected["merged"][safe]
        if isinstance(want, str):
            yield label, "both refuse" if error and error[0] != "crash" else "peer refuses", want
        elif error:
            yield label, *refusal(*error)
        else:
            got = folder_tensors(home / f"out-{safe}")
            outcome, detail = judge(got, want, dtype, case)
            if outcome == "WRONG":
                # The unmerged forward pass decides who is right.
                y = forward_with(expected["base"], got, expected["example"])
                if y is not None and judge(dict(y=y), dict(y=expected["y"]), dtype)[0] != "WRONG":
                    theirs = forward_with(expected["base"], want, expected["example"])
                    if theirs is None or judge(dict(y=theirs), dict(y=expected["y"]), dtype)[0] == "WRONG":
                        outcome = "peer wrong"
            yield label, outcome, detail


def judge_forward(case, outputs, expected, dtype):
    known = {p: y for p, y in expected["outputs"].items() if p in outputs}
    outcome, detail = judge({p: outputs[p] for p in known}, known, dtype, case)
    if outcome == "WRONG" and INCONSISTENT.get(name_of(case)):
        merged = expected["merged_outputs"]()
        if judge({p: outputs[p] for p in known}, {p: merged[p] for p in known}, dtype, case)[0] != "WRONG":
            return "as merged", f"{INCONSISTENT.get(name_of(case))} ({detail})"
    if outcome == "WRONG" and dtype != torch.float32:
        # PEFT rounds between the steps of some methods: what counts is the distance from the same arithmetic in f32.
        exact = expected["exact_outputs"]()
        ours, theirs = (gap({p: one[p].float() for p in known}, {p: exact[p] for p in known})[0] for one in (outputs, known))
        if ours <= max(theirs, TOLERANCE[dtype]):
            return "rounding", f"{ours:.1e} from f32, PEFT {theirs:.1e}"
    return outcome, detail


def library(case, home, job, answer, expected, dtype):
    if "error" in answer:
        yield "forward", *refusal(answer["error"]["kind"], answer["error"]["message"] + (answer["error"].get("stack") or ""))
        return
    outputs = {name.removeprefix("y."): y for name, y in load_file(home / "outputs.safetensors").items()}
    if outputs:
        yield f"forward{' several' if len(job['adapters']) > 1 else ''}", *judge_forward(case, outputs, expected, dtype)
    saved = load_file(home / "saved/adapter_model.safetensors")
    yield "save", *judge(saved, without_copies(expected["saved"]), torch.float32)


def without_copies(saved):
    """PEFT repeats RandLoRA's shared bases in every layer, and does not read them there."""
    shared = {k.rsplit(".", 1)[1]: v for k, v in saved.items() if k.count(".") == 1}
    return {k: v for k, v in saved.items() if k.count(".") == 1 or not (k.rsplit(".", 1)[1] in shared and torch.equal(shared[k.rsplit(".", 1)[1]], v))}


def run(case, home, weft):
    try:
        job, expected = prepare(case, home)
    except PeerRefuses as error:
        yield "all", "peer refuses", str(error)
        return
    dtype = getattr(torch, case.dtype)
    yield from merges(case, home, expected, dtype)
    yield from library(case, home, job, weft.ask(job), expected, dtype)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3), "big"))
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--only")
    parser.add_argument("--keep", type=pathlib.Path)
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    cases = [*peft_cases(os.environ.get("PEFT_TESTS")), *random_cases(options.seed, options.count, options.only)]
    cases = [c for c in cases if not options.names or c.name in options.names]
    if options.only:
        cases = [c for c in cases if options.only.lower() in f"{c.name} {c.configs[0][0]}".lower()]
    work = pathlib.Path(tempfile.mkdtemp(prefix="weft-differential-"))
    weft, table, failed = Library(), collections.defaultdict(collections.Counter), 0
    for case in cases:
        home = work / case.name.replace("/", "_").replace(" ", "_")
        for what, outcome, detail in run(case, home, weft):
            group = f"{case.name.split('-')[0]} {case.dtype}"
            table[group, what][outcome] += 1
            if outcome.isupper():
                failed += 1
                print(f"{outcome} {case.name} ({case.dtype}, {case.configs}): {what}: {detail[:500]}", flush=True)
            elif options.verbose:
                print(f"{outcome} {case.name}: {what}: {detail[:200]}", flush=True)
        if options.keep:
            shutil.copytree(home, options.keep / home.name, dirs_exist_ok=True)
        shutil.rmtree(home, ignore_errors=True)
    weft.close()
    shutil.rmtree(work, ignore_errors=True)
    total = sum((Counter for Counter in table.values()), collections.Counter())
    columns = sorted(total)
    for (group, what), counts in sorted(table.items()):
        print(f"{group:24} {what:16} " + "  ".join(f"{counts[c]} {c}" for c in columns if counts[c]))
    skipped = sum(n for outcome, n in total.items() if outcome in ("peer refuses", "both refuse", "refused"))
    print(f"{total.total() - failed - skipped} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed or total.total() == skipped else 0)


main()
