import engineUrl from "../engine/worker.js?worker&url";
import { workerUrl } from "../trusted.js";
import type { Transport } from "./transport.js";

/** Starts the engine in a worker of this page. */
export function workerTransport(): Transport {
  const worker = new Worker(workerUrl(engineUrl), { type: "module", name: "engine" });
  return {
    send: (message, transfer = []) => worker.postMessage(message, [...transfer]),
    put: (id, file) => worker.postMessage({ put: id, file }),
    listen(message, failed) {
      worker.addEventListener("message", ({ data }: MessageEvent<unknown>) => message(data));
      worker.addEventListener("messageerror", () => failed("a message of the engine cannot be read"));
      worker.addEventListener("error", (event) => failed(event.message || "the engine did not start"));
    },
  };
}
