import { THREAD_SOURCE } from "../generated/thread.js";

/** What a thread is sent: a memory, and with the first one what every thread begins with. */
export interface ThreadMessage {
  readonly memory: WebAssembly.Memory;
  /** Address of the thread's scratch in this memory. */
  readonly scratch: number;
  /** Of the first memory: the module of products, and the address of the control block. */
  readonly first?: { readonly products: WebAssembly.Module; readonly control: number };
}

/** A thread that runs `thread.ts`. */
export interface Thread {
  postMessage(data: ThreadMessage): void;
  terminate(): unknown;
}

type NodeWorker = Thread & { unref(): void; on(event: "error", listener: () => void): void };
interface NodeThreads {
  readonly Worker: new (source: string, options: object) => NodeWorker;
}

/** A module of Node, without an import that browsers and bundlers would have to resolve. */
function builtin<T>(name: string): T | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } };
  return process?.getBuiltinModule?.(name) as T | undefined;
}

const nodeThreads = (): NodeThreads | undefined => builtin("node:worker_threads");

/** How long a page's worker may take to start before the engine goes on without it, in ms. */
const START_TIMEOUT_MS = 5000;

/** A thread on its way: `started` tells whether it joins in. */
export interface Starting {
  readonly thread: Thread;
  readonly started: Promise<boolean>;
}

/**
 * Starts a worker thread of Node or of the browser. In Node it keeps no process alive.
 * @param createThread of pages: a worker that runs the module `@weft/kernels-wasm/thread`; one of a `blob:` URL if not given
 */
export function spawn(data: ThreadMessage, createThread: () => Worker = blobWorker): Starting {
  const node = nodeThreads();
  if (node) {
    const worker = new node.Worker(THREAD_SOURCE, { eval: true, workerData: data });
    // A thread that cannot start is a thread less: the others do its share.
    worker.on("error", () => undefined);
    worker.unref();
    return { thread: worker, started: Promise.resolve(true) };
  }
  const worker = createThread();
  const started = new Promise<boolean>((resolve) => {
    // A policy without worker-src blob: stops it with nothing but this event.
    worker.addEventListener("error", () => resolve(false));
    worker.addEventListener("message", () => resolve(true), { once: true });
    setTimeout(() => resolve(false), START_TIMEOUT_MS);
  });
  worker.postMessage(data);
  return { thread: worker, started };
}

/** A worker of the text of `thread.ts`, which needs no file beside a page's code. */
function blobWorker(): Worker {
  const url = URL.createObjectURL(new Blob([THREAD_SOURCE], { type: "text/javascript" }));
  const worker = new Worker(url);
  // By then it has started, or never will.
  setTimeout(() => URL.revokeObjectURL(url), START_TIMEOUT_MS);
  return worker;
}

/** True where threads can share memory: in Node, and in pages that are cross-origin isolated. */
export function threadsAvailable(): boolean {
  return nodeThreads() !== undefined || (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated === true;
}

/** Cores of this machine that the program may use. */
export function availableCores(): number {
  const { navigator } = globalThis as { navigator?: { hardwareConcurrency?: number } };
  return builtin<{ availableParallelism(): number }>("node:os")?.availableParallelism() ?? navigator?.hardwareConcurrency ?? 1;
}
