import type { ParsedCalls, ToolCall } from "./call-format.js";

const isObject = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The JSON of a code fence, or the text itself: models put JSON into fences unasked. */
const unfenced = (text: string): string => /^\s*```(?:json)?\s*\n?([^]*?)\n?```\s*$/u.exec(text)?.[1] ?? text;

/** Reads `{"name", "arguments"}`, or a list of such; `parameters` is read as `arguments`, as are arguments that are JSON in a text. */
export function readCalls(json: string): Pick<ParsedCalls, "calls" | "faults"> {
  let value: unknown;
  try {
    value = JSON.parse(unfenced(json));
  } catch (error) {
    return { calls: [], faults: [`a call is no JSON: ${(error as Error).message}`] };
  }
  const calls: ToolCall[] = [];
  const faults: string[] = [];
  for (const one of Array.isArray(value) ? (value as unknown[]) : [value]) {
    const call = callOf(one);
    if (typeof call === "string") faults.push(call);
    else calls.push(call);
  }
  return { calls, faults };
}

function callOf(value: unknown): ToolCall | string {
  if (!isObject(value)) return 'a call is no object: write {"name": …, "arguments": {…}}';
  const inner = isObject(value["function"]) ? value["function"] : value;
  const { name } = inner;
  if (typeof name !== "string" || name === "") return 'a call has no "name"';
  let given = inner["arguments"] ?? inner["parameters"] ?? {};
  if (typeof given === "string")
    try {
      given = JSON.parse(given);
    } catch {
      return `the arguments of ${name} are no JSON`;
    }
  return isObject(given) ? { name, arguments: given } : `the arguments of ${name} are no object`;
}
