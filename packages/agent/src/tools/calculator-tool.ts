import type { Executor } from "../executor/executor.js";
import type { Tool } from "./tool.js";

/** Calculates exactly: whole numbers of any size, fractions, intervals, units. @param executor in which it runs */
export const calculatorTool = (executor: Executor): Tool => ({
  name: "calculator",
  description:
    "Calculates exactly. Numbers of any size and fractions: 2^1000 mod 7, 10^400, 0.1 + 0.2. Functions: sqrt, exp, ln, log(x, base), sin, cos, abs, floor, ceil, round, min, max, gcd, lcm, factorial, binomial. Units: 60 km / (2 h) to m/s, 20 degC to degF. Intervals: [1, 2] + 5 ± 0.1.",
  parameters: {
    type: "object",
    properties: { expression: { type: "string", minLength: 1, maxLength: 2000 } },
    required: ["expression"],
    additionalProperties: false,
  },
  run: ({ expression }, limits) => executor.run("calculator", expression, limits),
});
