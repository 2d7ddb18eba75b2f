import { WORKER_SOURCE } from "./worker-source.js";

/** A thread that runs `WORKER_SOURCE`. */
export interface Thread {
  postMessage(data: unknown): void;
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

/** Starts a worker thread of Node or of the browser on `WORKER_SOURCE`. In Node it keeps no process alive. */
export function spawn(data: object): Starting {
  const node = nodeThreads();
  if (node) {
    const worker = new node.Worker(WORKER_SOURCE, { eval: true, workerData: data });
    // A thread that cannot start is a thread less: the others do its share.
    worker.on("error", () => undefined);
    worker.unref();
    return { thread: worker, started: Promise.resolve(true) };
  }
  const url = URL.createObjectURL(new Blob([WORKER_SOURCE], { type: "text/javascript" }));
  const worker = new Worker(url);
  const started = new Promise<boolean>((resolve) => {
    // A policy without worker-src blob: stops it with nothing but this event.
    worker.onerror = () => resolve(false);
    worker.onmessage = () => resolve(true);
    setTimeout(() => resolve(false), START_TIMEOUT_MS);
  });
  void started.then(() => URL.revokeObjectURL(url));
  worker.postMessage(data);
  return { thread: worker, started };
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
