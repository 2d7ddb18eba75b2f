import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** A Python process with torch that times its own work when asked; idle in between. */
export interface Python {
  readonly program: string;
  /** Versions of torch, and of peft and transformers where they are there. */
  readonly versions: { readonly [name: string]: string };
  /** One command of scripts/torch_server.py. @throws Error with Python's message */
  call(command: { readonly cmd: string; readonly [argument: string]: unknown }): Promise<{ readonly [result: string]: unknown }>;
  stop(): void;
}

/** Looks for a Python with torch: `--python` or WEFT_PYTHON, virtual environments of the repository, then the one on the path. */
export function findPython(root: string, given: string | undefined): string | undefined {
  const candidates = given
    ? [given]
    : [process.env["WEFT_PYTHON"] ?? "", join(root, ".venv/bin/python"), join(root, ".cache/venv/bin/python"), "python3"];
  return candidates
    .filter((path) => path === "python3" || path === given || existsSync(path))
    .find((path) => path !== "" && spawnSync(path, ["-c", "import torch"], { stdio: "ignore" }).status === 0);
}

export async function startPython(program: string, bench: string): Promise<Python> {
  const child: ChildProcess = spawn(program, [join(bench, "scripts/torch_server.py")], { stdio: ["pipe", "pipe", "inherit"] });
  const waiting: { resolve: (line: string) => void; reject: (error: Error) => void }[] = [];
  createInterface({ input: child.stdout! }).on("line", (line) => waiting.shift()?.resolve(line));
  child.on("exit", (code) => waiting.splice(0).forEach(({ reject }) => reject(new Error(`${program} ended with exit code ${code}`))));
  const call: Python["call"] = async (command) => {
    const line = await new Promise<string>((resolve, reject) => {
      waiting.push({ resolve, reject });
      child.stdin!.write(`${JSON.stringify(command)}\n`);
    });
    const answer = JSON.parse(line) as { readonly error?: string };
    if (answer.error !== undefined) throw new Error(`torch: ${answer.error}`);
    return answer as { readonly [result: string]: unknown };
  };
  const { versions } = (await call({ cmd: "versions" })) as { versions: Record<string, string> };
  return { program, versions, call, stop: () => child.kill() };
}
