import type { WorkerCall, WorkerMessage, WorkerStart } from "./protocol.js";

/** The worker's side of its connection, in Node and in pages. */
export interface Port {
  /** The first message says which engine the worker is. */
  onceStarted(begin: (start: WorkerStart) => void): void;
  onCall(run: (call: WorkerCall) => void): void;
  send(message: WorkerMessage): void;
}

interface NodePort {
  on(event: "message", listener: (data: unknown) => void): void;
  once(event: "message", listener: (data: unknown) => void): void;
  postMessage(data: unknown): void;
}

/** The connection of the worker that this runs in. */
export function openPort(): Port {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: string): { parentPort: NodePort | null } } };
  const node = process?.getBuiltinModule?.("node:worker_threads").parentPort;
  if (node)
    return {
      onceStarted: (begin) => node.once("message", (data) => begin(data as WorkerStart)),
      onCall: (run) => node.on("message", (data) => run(data as WorkerCall)),
      // oxlint-disable-next-line require-post-message-target-origin -- a worker has no origin
      send: (message) => node.postMessage(message),
    };
  return {
    onceStarted: (begin) => addEventListener("message", ({ data }) => begin(data as WorkerStart), { once: true }),
    onCall: (run) => addEventListener("message", ({ data }) => run(data as WorkerCall)),
    send: (message) => postMessage(message),
  };
}
