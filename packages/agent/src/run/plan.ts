import type { JsonSchema } from "@weft/generation";
import { schemaFaults } from "../tools/schema-faults.js";

/** One call, and which tools it may be of. */
export interface PlanStep {
  /** What the call is for. */
  readonly task: string;
  /** Names of tools; no other can be called in this step. */
  readonly tools: readonly string[];
}

/** What is to be done before the answer, in this order. */
export interface Plan {
  readonly steps: readonly PlanStep[];
}

/** Plans over these tools, for a planner. */
export const planSchema = (tools: readonly string[], maxSteps: number): JsonSchema => ({
  type: "object",
  properties: {
    steps: {
      type: "array",
      maxItems: maxSteps,
      items: {
        type: "object",
        properties: { task: { type: "string" }, tools: { type: "array", items: { enum: tools }, minItems: 1, maxItems: tools.length } },
        required: ["task", "tools"],
        additionalProperties: false,
      },
    },
  },
  required: ["steps"],
  additionalProperties: false,
});

/** A plan as a planner writes it. @returns the plan, or what is wrong with it */
export function readPlan(text: string, tools: readonly string[], maxSteps: number): Plan | { readonly fault: string } {
  return readJson<Plan>(text, planSchema(tools, maxSteps), "the plan");
}

/** JSON of a model, checked. @returns the value, or what is wrong with it */
export function readJson<T extends object>(text: string, schema: JsonSchema, what: string): T | { readonly fault: string } {
  let value: unknown;
  try {
    value = JSON.parse(/```(?:json)?\s*\n([^]*?)\n```/u.exec(text)?.[1] ?? text);
  } catch (error) {
    return { fault: `${what} is no JSON: ${(error as Error).message}` };
  }
  const faults = schemaFaults(schema, value);
  return faults.length === 0 ? (value as T) : { fault: `${what} is not as its schema says: ${faults.slice(0, 3).join("; ")}` };
}
