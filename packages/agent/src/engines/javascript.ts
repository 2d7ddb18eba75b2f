import type { QuickJSHandle, QuickJSWASMModule } from "quickjs-emscripten";
import { cap } from "../executor/cap.js";
import type { Engine, EngineLimits } from "../executor/protocol.js";
import { failure } from "../tools/failure.js";
import type { ToolResult } from "../tools/tool.js";
import { importPeer } from "./import-peer.js";

/** Bytes of stack that code may take: what this interpreter needs of the host's stack for it stays within that of a worker. */
const STACK_BYTES = 256 * 1024;
/** Ms before the deadline at which code is interrupted, so that its worker lives on. */
const MARGIN_MS = 50;
const PAGE_BYTES = 65_536;
/** Pages that the interpreter begins with. */
const FIRST_PAGES = 256;
/** Memory is full where no more than so many pages are left: it grows by pieces. */
const SPARE_PAGES = 64;

/**
 * Loads QuickJS, an interpreter in WebAssembly. Each call has a new one, with nothing of this program but `print`. Its whole memory is bounded: the limit that
 * it counts itself leaves out how large the pieces are (quickjs-emscripten 0.32).
 * @throws CapabilityError kind `not-installed`
 */
export async function loadJavaScript({ memoryBytes, outputBytes }: EngineLimits): Promise<Engine> {
  const { newQuickJSWASMModuleFromVariant, newVariant, RELEASE_SYNC } = await importPeer(
    "quickjs-emscripten",
    () => import("quickjs-emscripten"),
  );
  const maximum = Math.max(FIRST_PAGES, Math.floor(memoryBytes / PAGE_BYTES));
  const fresh = async (): Promise<{ readonly quickjs: QuickJSWASMModule; readonly memory: WebAssembly.Memory }> => {
    const memory = new WebAssembly.Memory({ initial: FIRST_PAGES, maximum });
    return { quickjs: await newQuickJSWASMModuleFromVariant(newVariant(RELEASE_SYNC, { wasmMemory: memory })), memory };
  };
  // Once, so that what takes time is not done in a call.
  let next: Awaited<ReturnType<typeof fresh>> | undefined = await fresh();
  return {
    async run(code, deadline) {
      const { quickjs, memory } = next ?? (await fresh());
      next = undefined;
      const runtime = quickjs.newRuntime();
      runtime.setMaxStackSize(STACK_BYTES);
      const end = deadline - MARGIN_MS;
      runtime.setInterruptHandler(() => Date.now() > end);
      const context = runtime.newContext();
      let printed = "";
      // Beyond the cap nothing is kept, so that printing takes no memory.
      const print = (text: string): void => void (printed += printed.length > outputBytes ? "" : `${text.slice(0, outputBytes)}\n`);
      const printing = context.newFunction("print", (...values) => print(values.map((one) => shown(context.dump(one))).join(" ")));
      context.setProp(context.global, "print", printing);
      printing.dispose();
      const errorOf = (handle: QuickJSHandle): ToolResult =>
        failed(
          handle.consume((one) => context.dump(one) as unknown),
          { printed, outputBytes, late: Date.now() > end, full: memory.buffer.byteLength > (maximum - SPARE_PAGES) * PAGE_BYTES },
        );
      const result = context.evalCode(code as string, "code.js");
      if (result.error) return errorOf(result.error);
      const value = result.value.consume((one) => context.dump(one) as unknown);
      const jobs = runtime.executePendingJobs();
      if (jobs.error) return errorOf(jobs.error);
      const last = value === undefined ? "" : shown(value);
      // The interpreter goes with its memory; freeing what is in it piece by piece would only take time.
      return { ok: true, content: cap(`${printed}${last}`.trimEnd(), outputBytes) };
    },
  };
}

interface Circumstances {
  readonly printed: string;
  readonly outputBytes: number;
  readonly late: boolean;
  readonly full: boolean;
}

/** Where memory is full there is often none left for the error that would say so. */
function failed(error: unknown, { printed, outputBytes, late, full }: Circumstances): ToolResult {
  const { name = "Error", message = "" } = (typeof error === "object" && error !== null ? error : { message: String(error) }) as {
    name?: string;
    message?: string;
  };
  if (message === "interrupted" && late) return failure("timeout", "the code did not end in time, and was stopped");
  if (full || /out of memory/u.test(message)) return failure("memory", "the code took more memory than it may, and was stopped");
  return failure("failed", cap(`${printed}${name}: ${message}`, outputBytes));
}

const shown = (value: unknown): string =>
  typeof value === "string" ? value : typeof value === "bigint" ? `${value}` : (JSON.stringify(value) ?? String(value));
