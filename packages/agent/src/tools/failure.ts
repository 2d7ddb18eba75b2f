import type { ToolFailure, ToolResult } from "./tool.js";

/** A failure as a result. */
export const failure = (reason: ToolFailure, error: string): ToolResult => ({ ok: false, reason, error });
