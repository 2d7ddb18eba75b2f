import { parentPort } from "node:worker_threads";
import { Engine } from "../engine/engine.js";
import type { EngineHost } from "../engine/host.js";
import type { FromThread, ToThread } from "./thread-messages.js";

/** Runs the engine in this thread, for the server that has started it. */
export function serveEngine(host: Omit<EngineHost, "emit">): void {
  const port = parentPort!;
  const say = (message: FromThread): void => port.postMessage(message);
  const engine = new Engine({ ...host, emit: (event) => say({ event }) });
  port.on("message", (message: ToThread) => {
    if ("rest" in message) void engine.rest().then(() => say({ rested: true }));
    else if ("put" in message) engine.put(message.put, new Blob([message.bytes]));
    else void engine.handle(message.command).then((reply) => say({ number: message.number, reply }));
  });
}
