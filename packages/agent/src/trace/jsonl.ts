import { FormatError } from "@weft/tensor-core";
import { isObject } from "../is-object.js";
import type { Trace, TraceEvent } from "./events.js";

const TYPES: readonly unknown[] = ["start", "plan", "model", "call", "claims", "verdict", "end"];

/** A trace as JSON lines. */
export const traceToJsonl = (trace: Trace): string => trace.map((event) => `${JSON.stringify(event)}\n`).join("");

/** @throws FormatError kind `trace`, which names the line */
export function traceFromJsonl(text: string, file?: string): Trace {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return lines.map((line, i) => {
    let event: unknown;
    try {
      event = JSON.parse(line);
    } catch (cause) {
      throw new FormatError(`line ${i + 1} of the trace is no JSON`, { kind: "trace", file, cause });
    }
    const expected = i === 0 ? "start" : undefined;
    if (
      !isObject(event) ||
      !TYPES.includes(event["type"]) ||
      (expected !== undefined && (event["type"] !== expected || event["version"] !== 1))
    )
      throw new FormatError(`line ${i + 1} of the trace is no event${i === 0 ? " of type start, version 1" : ""}`, { kind: "trace", file });
    return event as unknown as TraceEvent;
  });
}
