import type { Engine, EngineLimits, EngineName, WorkerStart } from "../executor/protocol.js";

/** Engines by name; each is loaded by those who use it. */
const ENGINES: { readonly [name in EngineName]: (limits: EngineLimits) => Promise<Engine> } = {
  calculator: async () => (await import("./calculator.js")).CALCULATOR,
  claims: async () => (await import("./claims.js")).CLAIMS,
  smt: async (limits) => (await import("./smt.js")).loadSmt(limits),
  prolog: async (limits) => (await import("./prolog.js")).loadProlog(limits),
  javascript: async (limits) => (await import("./javascript.js")).loadJavaScript(limits),
};

/** @throws CapabilityError kind `not-installed` if the package of an engine is not there */
export const loadEngine = ({ engine, limits }: WorkerStart): Promise<Engine> => ENGINES[engine](limits);
