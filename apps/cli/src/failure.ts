import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { WeftError, type WeftErrorCode } from "@weft/tensor-core";
import { EXIT } from "./context.js";
import { printable } from "./output.js";
import type { Style } from "./style.js";

/** A failure as the user sees it. */
export interface Failure {
  readonly exit: number;
  readonly kind: string;
  readonly message: string;
  readonly file?: string | undefined;
  readonly tensor?: string | undefined;
  readonly hint?: string | undefined;
}

/** Misuse of the command line. */
export class UsageError extends Error {
  readonly hint: string | undefined;
  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

const EXIT_OF: Record<WeftErrorCode, number> = {
  shape: EXIT.invalid,
  dtype: EXIT.invalid,
  format: EXIT.invalid,
  config: EXIT.invalid,
  capability: EXIT.invalid,
  io: EXIT.invalid,
  match: EXIT.unlike,
  device: EXIT.device,
  cancelled: EXIT.sigint,
};

/** What the operating system says, in words; those that are no fault of the input exit with 1. */
const SYSTEM: Record<string, { kind: string; exit: number; what: string; hint?: string }> = {
  ENOENT: { kind: "not-found", exit: EXIT.invalid, what: "no such file or folder", hint: "check the path" },
  ENOTDIR: { kind: "not-a-folder", exit: EXIT.invalid, what: "a part of the path is not a folder" },
  EISDIR: { kind: "not-a-file", exit: EXIT.invalid, what: "is a folder, expected a file" },
  EACCES: {
    kind: "no-permission",
    exit: EXIT.invalid,
    what: "permission denied",
    hint: "check the owner and mode of the file and its folder",
  },
  EPERM: {
    kind: "no-permission",
    exit: EXIT.invalid,
    what: "operation not permitted",
    hint: "check the owner and mode of the file and its folder",
  },
  EROFS: { kind: "no-permission", exit: EXIT.invalid, what: "the file system is read-only", hint: "choose another output folder" },
  EEXIST: { kind: "exists", exit: EXIT.invalid, what: "exists already", hint: "choose another output, or pass --force" },
  ELOOP: { kind: "not-found", exit: EXIT.invalid, what: "too many symbolic links" },
  ENAMETOOLONG: { kind: "not-found", exit: EXIT.invalid, what: "the name is too long" },
  ENOSPC: {
    kind: "disk-full",
    exit: EXIT.failed,
    what: "no space left on the device",
    hint: "free space, or choose an output on another disk, and run the command again",
  },
  EDQUOT: { kind: "disk-full", exit: EXIT.failed, what: "the disk quota is used up", hint: "free space and run the command again" },
  EFBIG: {
    kind: "disk-full",
    exit: EXIT.failed,
    what: "the file would be larger than allowed",
    hint: "raise the limit (ulimit -f), or write smaller shards with --max-shard-size",
  },
  EIO: { kind: "disk-error", exit: EXIT.failed, what: "the device reports an input/output error", hint: "check the disk" },
  EMFILE: { kind: "limit", exit: EXIT.failed, what: "too many open files", hint: "raise the limit (ulimit -n)" },
  ENOMEM: { kind: "out-of-memory", exit: EXIT.failed, what: "out of memory", hint: "lower --max-memory and --jobs" },
};

const systemCode = (error: unknown): string | undefined => {
  for (let e = error as { code?: unknown; cause?: unknown } | undefined, depth = 0; e && depth < 5; e = e.cause as typeof e, depth++)
    if (typeof e.code === "string" && Object.hasOwn(SYSTEM, e.code)) return e.code;
  return undefined;
};

/** A path that is not there, but would be a repository's name on the hub. */
function hubHint(file: string | undefined): string | undefined {
  const repository = file !== undefined && /^[\w][\w.-]*\/[\w][\w.-]*$/.test(file) && !existsSync(dirname(file));
  return repository ? `a repository of the hub is named hf:${file}` : undefined;
}

/** Turns anything thrown into what is printed and the exit code. `signal`: the name of the signal that asked to stop, if one did. */
export function describeFailure(error: unknown, signal?: string): Failure {
  if (error instanceof WeftError) {
    const { kind, message, file, tensor } = error;
    const hint = error.hint ?? (kind === "not-found" ? hubHint(file) : undefined);
    if (error.code === "cancelled") return { exit: signal === "SIGTERM" ? EXIT.sigterm : EXIT.sigint, kind: "cancelled", message, hint };
    const system = SYSTEM[systemCode(error) ?? ""];
    if (error.code === "io" && system)
      return { exit: system.exit, kind: kind === "io" ? system.kind : kind, message, file, tensor, hint: hint ?? system.hint };
    // A part of an adapter that fits nothing is a wrong input; exit code 4 says that nothing fits at all.
    return { exit: kind === "missing-modules" ? EXIT.invalid : EXIT_OF[error.code], kind, message, file, tensor, hint };
  }
  if (error instanceof UsageError) return { exit: EXIT.invalid, kind: "usage", message: error.message, hint: error.hint };
  const code = systemCode(error);
  if (code) {
    const { path } = error as { path?: string };
    const { exit, kind, what, hint } = SYSTEM[code]!;
    return { exit, kind, message: path ? `${path}: ${what}` : what, file: path, hint };
  }
  if (error instanceof RangeError && /allocation|Invalid typed array length|memory/i.test(error.message)) {
    return { exit: EXIT.failed, kind: "out-of-memory", message: `out of memory: ${error.message}`, hint: "lower --max-memory and --jobs" };
  }
  const message = error instanceof Error ? error.message : String(error);
  return {
    exit: EXIT.failed,
    kind: "internal",
    message: `unexpected: ${message}`,
    hint: "run again with --verbose and report what it prints",
  };
}

/** `{"error": …}`, the last line of stdout with `--json`. */
export function failureJson({ kind, message, file, tensor, hint }: Failure): { error: Record<string, string> } {
  return {
    error: {
      kind,
      message,
      ...(file !== undefined && { file }),
      ...(tensor !== undefined && { tensor }),
      ...(hint !== undefined && { hint }),
    },
  };
}

const oneLine = (text: string): string => printable(text.replace(/\s*\n\s*/g, "; "), 2000);

/** One line, then what to do. File and tensor are put in front where the message does not name them. */
export function failureText({ message, file, tensor, hint }: Failure, style: Style): string {
  // A message about a folder need not be led by a file in it.
  const about = message.slice(0, Math.max(0, message.indexOf(": ")));
  const named = (part: string): boolean =>
    message.includes(part) || (about !== "" && part.startsWith(about) && /^[\\/]/.test(part.slice(about.length)));
  const where = [file, tensor].filter((part): part is string => part !== undefined && !named(part)).map((part) => `${printable(part)}: `);
  const told = `${style.bold(style.red("error:"))} ${where.join("")}${oneLine(message)}\n`;
  return hint === undefined ? told : `${told}  ${style.cyan("hint:")} ${oneLine(hint)}\n`;
}
