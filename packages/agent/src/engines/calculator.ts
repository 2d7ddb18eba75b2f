import { calculate } from "../exact/calculate.js";
import type { Engine } from "../executor/protocol.js";

/** Calculates an expression. */
export const CALCULATOR: Engine = {
  run: async (expression) => ({ ok: true, content: calculate(expression as string).text }),
};
