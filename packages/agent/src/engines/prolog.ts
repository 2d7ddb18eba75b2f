import { cap } from "../executor/cap.js";
import type { Engine, EngineLimits } from "../executor/protocol.js";
import { failure } from "../tools/failure.js";
import type { ToolResult } from "../tools/tool.js";
import { importPeer } from "./import-peer.js";

/** What the engine gets. */
export interface PrologInput {
  readonly program: string;
  readonly query: string;
}

/** Most inferences of a call. */
export const MAX_INFERENCES = 1_000_000;
/** Most answers of a query that are told. */
const MAX_ANSWERS = 20;

/** Predicates that read, open files or stop the program, which rules and facts have no need of. */
const REMOVED =
  "consult/1 open/3 open/4 close/1 close/2 read/1 read/2 read_term/2 read_term/3 get_char/1 get_char/2 get_code/1 get_code/2 get_byte/1 get_byte/2 peek_char/1 peek_char/2 peek_code/1 peek_code/2 peek_byte/1 peek_byte/2 set_input/1 set_output/1 halt/0 halt/1 set_prolog_flag/2".split(
    " ",
  );

/** Predicates that join texts. A text that doubles again and again costs V8 nothing until a letter of it is read, and then more than a worker's limit can stop. */
const JOINING = "atom_concat/3 atomic_concat/3 atomic_list_concat/2 atomic_list_concat/3".split(" ");
/** The longest text that they make. */
const MAX_TEXT = 2 ** 20;

/** A term of tau-prolog: atoms have an id, others arguments as well. */
interface Term {
  readonly id?: unknown;
  readonly args?: readonly Term[];
  readonly indicator: string;
}
type Predicate = (thread: { throw_error(error: unknown): void }, point: unknown, goal: Term) => unknown;
/** What is used of tau-prolog, which has no types. */
interface Tau {
  create(limit: number): Session;
  readonly type: { readonly Term: new (id: string, args?: readonly unknown[]) => Term };
  readonly modules: { readonly system: { readonly rules: Record<string, unknown> } };
}
interface Callbacks {
  success?(answer: unknown): void;
  error?(error: unknown): void;
  fail?(): void;
  limit?(): void;
}
interface Session {
  file_system: unknown;
  readonly streams: Record<string, { stream: unknown }>;
  consult(program: string, options: Callbacks & { file: false; url: false; html: false; script: false }): void;
  query(goal: string, options: Callbacks): void;
  answer(options: Callbacks): void;
  format_answer(answer: unknown): string;
}

/**
 * Loads Tau Prolog as it is in a page without any address: its files are in memory, and no predicate of it reads from anywhere.
 * @throws CapabilityError kind `not-installed`
 */
export async function loadProlog({ outputBytes }: EngineLimits): Promise<Engine> {
  // This worker is for Prolog alone. In Node the library would give programs the file system and the environment.
  const scope = globalThis as { process?: { browser?: boolean }; window?: object; XMLHttpRequest?: unknown };
  if (scope.process) scope.process.browser = true;
  scope.window ??= Object.create(null) as object;
  delete scope.XMLHttpRequest;
  const { default: pl } = (await importPeer("tau-prolog", () => import("tau-prolog"))) as unknown as { default: Tau };
  const { rules } = pl.modules.system;
  for (const name of REMOVED) delete rules[name];
  for (const name of JOINING) if (rules[name]) rules[name] = bounded(pl, rules[name] as Predicate);
  return { run: async (input) => answersOf(pl, input as PrologInput, outputBytes) };
}

/** A predicate that joins texts, with an error in the place of what is too long. */
function bounded({ type: { Term } }: Tau, predicate: Predicate): Predicate {
  return (thread, point, goal) => {
    if (textIn(goal) <= MAX_TEXT) return predicate(thread, point, goal);
    thread.throw_error(new Term("error", [new Term("resource_error", [new Term("text")]), new Term(goal.indicator)]));
    return undefined;
  };
}

/** Letters of all atoms in a term. */
function textIn(term: Term): number {
  let letters = 0;
  const rest: Term[] = [term];
  for (let next = rest.pop(); next; next = rest.pop()) {
    if (typeof next.id === "string") letters += next.id.length;
    if (Array.isArray(next.args)) rest.push(...(next.args as Term[]));
  }
  return letters;
}

async function answersOf(pl: Tau, { program, query }: PrologInput, outputBytes: number): Promise<ToolResult> {
  const session = pl.create(MAX_INFERENCES);
  session.file_system = { open: () => null, get: () => null };
  let written = "";
  const output = {
    put: (text: string) => {
      if (written.length <= outputBytes) written += text.slice(0, outputBytes);
      return true;
    },
    flush: () => true,
  };
  for (const name of ["user_output", "user_error"]) session.streams[name]!.stream = output;
  const told = (value: unknown): string => session.format_answer(value);
  const wrong =
    (await outcome((callbacks) => session.consult(program, { file: false, url: false, html: false, script: false, ...callbacks }))) ??
    (await outcome((callbacks) => session.query(query, callbacks)));
  if (wrong?.end === "error") return failure("failed", cap(`Prolog: ${told(wrong.value)}`, outputBytes));
  const answers: string[] = [];
  const all = (): ToolResult => ({
    ok: true,
    content: cap([...(written === "" ? [] : [written.trimEnd()]), ...answers].join("\n"), outputBytes),
  });
  for (;;) {
    const next = await outcome((callbacks) => session.answer(callbacks), "answer");
    if (next?.end === "error") return failure("failed", cap(`Prolog: ${told(next.value)}`, outputBytes));
    if (next?.end === "limit") return failure("timeout", `the query took more than ${MAX_INFERENCES} inferences, and was stopped`);
    if (next?.end !== "answer") {
      if (answers.length === 0) answers.push("false");
      return all();
    }
    answers.push(answers.length === MAX_ANSWERS ? `[more than ${MAX_ANSWERS} answers]` : told(next.value));
    if (answers.length > MAX_ANSWERS) return all();
  }
}

/** How a step of a session ended: it calls back later. @param success what its success is; nothing where there is no more to say */
function outcome(
  start: (callbacks: Callbacks) => void,
  success?: "answer",
): Promise<{ readonly end: "answer" | "error" | "limit" | "none"; readonly value?: unknown } | undefined> {
  return new Promise((resolve) =>
    start({
      success: (value) => resolve(success && { end: success, value }),
      error: (value) => resolve({ end: "error", value }),
      fail: () => resolve({ end: "none" }),
      limit: () => resolve({ end: "limit" }),
    }),
  );
}
