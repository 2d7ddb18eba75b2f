import { Worker } from "node:worker_threads";
import { ConfigError } from "@weft/tensor-core";
import { translatePythonRegex } from "../matching/python-regex.js";
import { type Anchoring, checkPatternLength, type RegexEngine, type RegexMatch } from "../matching/regex-engine.js";

/** How long all matches of one engine may take together, in ms. */
export const REGEX_TIMEOUT_MS = 1000;
/** Starting a thread is not the pattern's fault, and slow on a loaded machine. */
const START_TIMEOUT_MS = 10_000;
/** Room for what the group `idx` matched, in UTF-16 units: a layer's number is shorter by far. */
const GROUP_UNITS = 256;

/** An engine for regular expressions in a thread of its own, which is stopped where a pattern does not end. */
export interface WorkerRegex {
  readonly engine: RegexEngine;
  /** Ends the thread. */
  close(): Promise<void>;
}

/**
 * An engine for patterns that RE2 does not have (look-around, backreferences): JavaScript's RegExp in a thread that is ended when
 * it takes too long. To be asked for explicitly, as `{ engine }` of `openAdapter` and `selectTargets`.
 *
 * @throws by its functions: ConfigError kind `unsafe-regex` when the time is up or the pattern is beyond RegExp as well; `config-regex`, `limit`
 */
export function createWorkerRegex(timeoutMs: number = REGEX_TIMEOUT_MS): WorkerRegex {
  const state = new Int32Array(new SharedArrayBuffer(12));
  const group = new Uint16Array(new SharedArrayBuffer(2 * GROUP_UNITS));
  const worker = new Worker(WORKER, { eval: true, workerData: { state, group } });
  worker.unref();
  let left = timeoutMs;
  let failed = false;
  let turn = 0;

  const ask = (source: string, text: string, limit: number): RegexMatch | undefined | "late" => {
    turn++;
    worker.postMessage({ turn, source, text });
    const seen = Atomics.load(state, 0);
    if (seen !== turn && Atomics.wait(state, 0, seen, limit) === "timed-out") return "late";
    if (state[1] === 0) return undefined;
    return { idx: state[2]! < 0 ? undefined : String.fromCharCode(...group.subarray(0, state[2]!)) };
  };
  const stop = (): never => {
    throw new ConfigError(`a pattern did not end within ${timeoutMs} ms`, { kind: "unsafe-regex", hint: "list the module names instead" });
  };

  const engine: RegexEngine = (pattern, anchoring, field) => {
    checkPatternLength(pattern, field);
    const source = anchored(translatePythonRegex(pattern, "js", field), anchoring, field);
    return (text) => {
      if (failed) stop();
      if (turn === 0 && ask("^", "", START_TIMEOUT_MS) === "late") stop();
      const start = performance.now();
      const result = ask(source, text, Math.max(1, left));
      left -= performance.now() - start;
      if (result !== "late") return result;
      failed = true;
      void worker.terminate();
      return stop();
    };
  };
  return {
    engine,
    close: async () => {
      failed = true;
      await worker.terminate();
    },
  };
}

function anchored(translated: string, anchoring: Anchoring, field: string): string {
  const source = anchoring === "full" ? `^(?:${translated})$` : `^(?:${translated})`;
  try {
    new RegExp(source); // compiling takes time proportional to the pattern; only matching may run away
  } catch (cause) {
    throw new ConfigError(`${field}: RegExp refuses ${JSON.stringify(translated.slice(0, 80))}`, { kind: "unsafe-regex", cause });
  }
  return source;
}

/** The thread's program: answers in shared memory, since the asking thread waits and handles no messages. */
const WORKER = `
const { parentPort, workerData: { state, group } } = require("node:worker_threads");
const compiled = new Map();
parentPort.on("message", ({ turn, source, text }) => {
  if (!compiled.has(source)) compiled.set(source, new RegExp(source));
  const match = compiled.get(source).exec(text);
  const idx = match?.groups?.idx;
  state[1] = match ? 1 : 0;
  state[2] = idx === undefined || idx.length > group.length ? -1 : idx.length;
  for (let i = 0; i < state[2]; i++) group[i] = idx.charCodeAt(i);
  Atomics.store(state, 0, turn);
  Atomics.notify(state, 0);
});
`;
