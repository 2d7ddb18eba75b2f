import { WeftError } from "@weft/tensor-core";
import type { ToolResult } from "../tools/tool.js";

/** What was thrown, as the result of a call. */
export function failureOf(error: unknown): ToolResult {
  const message = error instanceof Error ? error.message : String(error);
  const hint = error instanceof WeftError && error.hint !== undefined ? ` (${error.hint})` : "";
  const missing = error instanceof WeftError && error.kind === "not-installed";
  return { ok: false, reason: missing ? "missing" : "failed", error: message + hint };
}
