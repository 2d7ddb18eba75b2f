import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError } from "@weft/tensor-core";
import { cap } from "../executor/cap.js";
import { MAX_RESULT_BYTES } from "../tools/call-tool.js";
import { failure } from "../tools/failure.js";
import type { Tool, ToolResult } from "../tools/tool.js";

/** How Python is run. */
export interface PythonToolOptions {
  /**
   * Has to be true. Python that a model writes runs with your rights: it can read and change your files, use the network and start programs. The deadline, the
   * limit of memory and the empty environment stop accidents, not intent. Name a command that runs it in a container where you have one.
   */
  readonly allowCodeToRunWithYourRights: true;
  /** What starts Python and reads a program from its input, with limits of its own: `["docker", "run", "--rm", "-i", "--network=none", "python:3", "python", "-"]`; `python3` of this machine if not given. */
  readonly command?: readonly [string, ...string[]];
  /** Bytes of address space that `python3` may take; 512 MiB if not given. Not on Windows. */
  readonly memoryBytes?: number;
}

/**
 * Python, for code that you would run yourself.
 * @throws ConfigError kind `agent-option` without the flag that says so
 */
export function pythonTool({ allowCodeToRunWithYourRights, command, memoryBytes = 512 * 2 ** 20 }: PythonToolOptions): Tool {
  if (allowCodeToRunWithYourRights !== true)
    throw new ConfigError(
      "Python that a model writes runs with your rights: it can read and change your files, use the network and start programs",
      {
        kind: "agent-option",
        hint: "use javascriptTool, which can do none of this, or say allowCodeToRunWithYourRights: true",
      },
    );
  return {
    name: "python",
    description: "Runs a Python program, and gives what it prints.",
    parameters: {
      type: "object",
      properties: { code: { type: "string", minLength: 1, maxLength: 20_000 } },
      required: ["code"],
      additionalProperties: false,
    },
    async run({ code }, { signal, deadline }) {
      const folder = await mkdtemp(join(tmpdir(), "weft-python-"));
      try {
        return await execute(command ?? ["python3", "-I", "-c", LIMITED, `${memoryBytes}`], code as string, folder, deadline, signal);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

/** Bounds its own memory, and runs the program that it reads. */
const LIMITED = `import sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2)
except ImportError:
    pass
exec(compile(sys.stdin.read(), "program.py", "exec"), {"__name__": "__main__"})`;

function execute(
  [program, ...args]: readonly [string, ...string[]],
  code: string,
  cwd: string,
  deadline: number,
  signal: AbortSignal | undefined,
): Promise<ToolResult> {
  return new Promise((resolve) => {
    // A group of its own, so that what it starts ends with it.
    const child = spawn(program, args, { cwd, env: { PATH: process.env["PATH"] ?? "" }, detached: process.platform !== "win32" });
    let output = "";
    let ended: ToolResult | undefined;
    const end = (result: ToolResult): void => {
      ended ??= result;
      kill(child.pid);
    };
    const timer = setTimeout(
      () => end(failure("timeout", "the program did not end in time, and was stopped")),
      Math.max(0, deadline - Date.now()),
    );
    const cancel = (): void => end(failure("failed", "cancelled"));
    signal?.addEventListener("abort", cancel, { once: true });
    const finish = (result: ToolResult): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", cancel);
      resolve(ended ?? result);
    };
    const read = (chunk: Buffer): void => {
      if (output.length <= MAX_RESULT_BYTES) output += chunk.toString("utf8");
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.on("error", ({ message }) => finish(failure("missing", `${program} cannot be started: ${message}`)));
    child.on("close", (status) => {
      const text = cap(output.trimEnd(), MAX_RESULT_BYTES);
      const reason = /MemoryError/u.test(text) ? "memory" : "failed";
      finish(status === 0 ? { ok: true, content: text } : failure(reason, `exit code ${status}\n${text}`));
    });
    // A program that ends before it has read all of its code closes the pipe.
    child.stdin.on("error", () => undefined);
    child.stdin.end(code);
  });
}

function kill(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(process.platform === "win32" ? pid : -pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
}
