"""python ray_merge.py PLAN OUT N: computes a plan in N tasks of Ray, then makes the checkpoint of them.

The plan's folder and OUT lie on a disk that all nodes have. WEFT is the command that runs weft (default: `weft`).
"""

import os
import shlex
import subprocess
import sys

import ray

WEFT = shlex.split(os.environ.get("WEFT", "weft"))


@ray.remote(num_cpus=2, max_retries=3)
def run_share(plan: str, out: str, index: int, of: int) -> int:
    """Computes a share; a task that Ray starts again goes on from the units that are done."""
    subprocess.run([*WEFT, "run", plan, "--index", str(index), "--of", str(of), "-o", out, "--jobs", "2", "--quiet"], check=True)
    return index


def merge(plan: str, out: str, of: int) -> None:
    ray.get([run_share.remote(plan, out, index, of) for index in range(of)])
    subprocess.run([*WEFT, "run", plan, "--finish", "-o", out], check=True)


if __name__ == "__main__":
    plan_file, out_folder, shares = sys.argv[1:4]
    ray.init(ignore_reinit_error=True)
    merge(os.path.abspath(plan_file), os.path.abspath(out_folder), int(shares))
