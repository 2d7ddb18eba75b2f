"""weft: the library in one long-lived process, the built command line in one per merge."""
import json, pathlib, subprocess

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROGRAM = ["node", str(ROOT / "apps/cli/dist/weft.js")]


class Library:
    def __init__(self):
        self.process = subprocess.Popen(["node", str(ROOT / "tests/golden/dist/differential.js")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, job):
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            self.__init__()
            return dict(error=dict(kind="crash", message="the process ended"))
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def start_merge(home, adapters, out, safe):
    arguments = ["merge", home / "base", *[a for name in adapters for a in ("-a", home / name)], "-o", out, "--json", "--jobs", "1", *(["--safe"] if safe else [])]
    return subprocess.Popen([*PROGRAM, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end_merge(process):
    """@returns None, or (kind, message) of the error"""
    out, err = process.communicate(timeout=120)
    if process.returncode == 0:
        return None
    try:
        error = json.loads(out.strip().splitlines()[-1])["error"]
    except (IndexError, KeyError, ValueError):
        return "crash", f"exit {process.returncode}: {(out + err)[-400:]}"
    return ("crash" if process.returncode == 1 else error["kind"]), error["message"]
