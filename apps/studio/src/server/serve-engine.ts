import { parentPort } from "node:worker_threads";
import { Engine } from "../engine/engine.js";
import type { EngineHost } from "../engine/host.js";

/** Runs the engine in this thread, for the server that has started it. */
export function serveEngine(host: Omit<EngineHost, "emit">): void {
  const port = parentPort!;
  const engine = new Engine({ ...host, emit: (event) => port.postMessage({ event }) });
  port.on("message", ({ number, message }: { readonly number: string; readonly message: unknown }) => {
    void engine.handle(message).then((reply) => port.postMessage({ number, reply }));
  });
}
