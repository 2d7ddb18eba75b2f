import type { SmtAnswer } from "../claims/smt.js";
import type { Engine, EngineLimits } from "../executor/protocol.js";
import { expressionsOf } from "../logic/s-expressions.js";
import { failure } from "../tools/failure.js";
import type { ToolResult } from "../tools/tool.js";
import { importPeer } from "./import-peer.js";

/** Bytes that the solver has when it has started. */
const OWN_BYTES = 512 * 2 ** 20;
/** Ms before the deadline at which the solver gives up by itself, so that its worker lives on. */
const MARGIN_MS = 100;
/** Asks all threads of the solver to work: the one that searches, and the one that ends a search in time. */
const FIRST_QUESTION = "(assert (! (forall ((x Int)) (exists ((y Int)) (> y x))) :named weft-0))";

/**
 * Loads Z3 and asks it once: each of its threads loads the whole solver when it is first needed, which on a busy machine takes longer than many a call may.
 * Its input is SMT-LIB 2 that asserts terms by name; its result an {@link SmtAnswer} as JSON.
 * @throws CapabilityError kind `not-installed`
 */
export async function loadSmt({ memoryBytes }: EngineLimits): Promise<Engine> {
  const { init } = await importPeer("z3-solver", () => import("z3-solver"));
  const { Z3 } = await init();
  Z3.global_param_set("memory_max_size", `${Math.ceil((memoryBytes + OWN_BYTES) / 2 ** 20)}`);
  const inContext = async <T>(use: (run: (commands: string) => Promise<string>) => Promise<T>): Promise<T> => {
    const config = Z3.mk_config();
    const context = Z3.mk_context(config);
    Z3.del_config(config);
    try {
      return await use(async (commands) => (await Z3.eval_smtlib2_string(context, commands)).trim());
    } finally {
      Z3.del_context(context);
    }
  };
  const engine: Engine = {
    async run(input, deadline) {
      const script = input as string;
      const left = (): number => Math.max(1, Math.floor(deadline - Date.now() - MARGIN_MS));
      // Elimination of quantifiers decides linear arithmetic, where the usual solver often does not end; it knows nothing of functions, and finds no cores.
      if (/\b(?:forall|exists)\b/u.test(script)) {
        const time = Math.floor(left() / 2);
        const answer = await inContext(async (run) =>
          read(await run(`${script}\n(check-sat-using (try-for qsat ${time}))`), run, namesIn(script)),
        );
        if (answer && answer.result !== "unknown") return told(answer);
      }
      return inContext(async (run) => {
        const options = `(set-option :produce-unsat-cores true)\n(set-option :timeout ${left()})`;
        const output = await run(`${options}\n${script}\n(check-sat)`);
        const answer = await read(output, run);
        return answer ? told(answer) : failure("failed", output.slice(0, 2000));
      });
    },
  };
  // Who waits for the engine to start sets the limit; the solver's own is out of the way.
  await engine.run(FIRST_QUESTION, Date.now() + 24 * 3600 * 1000);
  return engine;
}

const told = (answer: SmtAnswer): ToolResult => ({ ok: true, content: JSON.stringify(answer) });

/** The names of all assertions. */
const namesIn = (script: string): readonly string[] => Array.from(script.matchAll(/ :named (weft-\w+)\)\)$/gmu), ([, name]) => name!);

/**
 * @param core what contradicts itself, where the solver has not found out
 * @returns nothing if the solver complained
 */
async function read(output: string, run: (command: string) => Promise<string>, core?: readonly string[]): Promise<SmtAnswer | undefined> {
  if (output === "sat") return { result: "sat", model: modelText(await run("(get-model)")) };
  if (output === "unsat") return { result: "unsat", core: core ?? (await run("(get-unsat-core)")).match(/[^\s()]+/gu) ?? [] };
  if (output === "unknown" || output === "timeout") return { result: "unknown", reason: await run("(get-info :reason-unknown)") };
  return undefined;
}

/** Definitions of a model, but for those that are names of assertions. */
function modelText(text: string): string {
  const inner = text.trim().replace(/^\(/u, "").replace(/\)$/u, "");
  const definitions = expressionsOf(inner).filter((one) => !one.text.startsWith("(define-fun weft-"));
  return definitions.length === 0 ? "any values" : definitions.map((one) => one.text.replace(/\s+/gu, " ")).join(" ");
}
