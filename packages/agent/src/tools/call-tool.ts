import { cap } from "../executor/cap.js";
import { failure } from "./failure.js";
import { schemaFaults } from "./schema-faults.js";
import type { CallLimits, Tool, ToolResult } from "./tool.js";

/** Most bytes of a result that the model gets. */
export const MAX_RESULT_BYTES = 8192;

/**
 * Checks the arguments by the tool's schema, and calls it. Never throws: whatever goes wrong, the deadline included, is a result. What the tool does on this
 * thread cannot be stopped, only given up; tools of this package work in an {@link Executor}, which ends them.
 */
export async function callTool(tool: Tool, args: unknown, limits: CallLimits): Promise<ToolResult> {
  const faults = argumentFaults(tool, args);
  if (faults) return failure("arguments", faults);
  const { signal, deadline } = limits;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const controller = new AbortController();
  const cancel = (): void => controller.abort(signal!.reason);
  try {
    if (signal?.aborted) return failure("failed", "cancelled");
    signal?.addEventListener("abort", cancel, { once: true });
    const ended = new Promise<ToolResult>((resolve) => {
      controller.signal.addEventListener("abort", () => resolve(failure("failed", "cancelled")), { once: true });
      timer = setTimeout(
        () => {
          resolve(failure("timeout", "the call did not end in time"));
          controller.abort();
        },
        Math.max(0, deadline - Date.now()) + GRACE_MS,
      );
    });
    return capped(
      await Promise.race([tool.run(args as { readonly [name: string]: unknown }, { deadline, signal: controller.signal }), ended]),
    );
  } catch (error) {
    return failure("failed", cap(error instanceof Error ? error.message : String(error), MAX_RESULT_BYTES));
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", cancel);
  }
}

/** An executor ends its workers at the deadline, and says so itself. */
const GRACE_MS = 500;

function argumentFaults({ name, parameters }: Tool, args: unknown): string | undefined {
  if (typeof args !== "object" || args === null || Array.isArray(args)) return `the arguments of ${name} are no object`;
  const faults = schemaFaults(parameters, args);
  return faults.length === 0 ? undefined : `the arguments of ${name} are not as its schema says: ${faults.slice(0, 5).join("; ")}`;
}

const capped = (result: ToolResult): ToolResult =>
  result.ok ? { ok: true, content: cap(result.content, MAX_RESULT_BYTES) } : { ...result, error: cap(result.error, MAX_RESULT_BYTES) };
