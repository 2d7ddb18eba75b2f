// The engine in a page: a worker that owns device, models and runs.
import { createWasmBackend } from "@weft/kernels-wasm";
import threadUrl from "@weft/kernels-wasm/thread?worker&url";
import { createWebGpuBackend } from "@weft/kernels-webgpu";
import { createDevice } from "@weft/tensor-core";
import type { Message } from "../protocol/commands.js";
import { OpfsRunStore } from "../store/opfs.js";
import { workerUrl } from "../trusted.js";
import { Engine } from "./engine.js";

const scope = self as unknown as {
  postMessage(message: Message): void;
  addEventListener(type: "message", listener: (event: MessageEvent<unknown>) => void): void;
};

const engine = new Engine({
  isolated: crossOriginIsolated,
  store: "storage" in navigator && "getDirectory" in navigator.storage ? new OpfsRunStore() : undefined,
  emit: (event) => scope.postMessage({ event }),
  openDevice: () =>
    createDevice("auto", {
      webgpu: () => createWebGpuBackend(navigator.gpu, { software: false }),
      cpu: () => createWasmBackend({ createThread: () => new Worker(workerUrl(threadUrl), { type: "module" }) }),
    }),
});

/** A file that a page hands over, beside commands. */
const isPut = (data: unknown): data is { readonly put: string; readonly file: Blob } =>
  typeof data === "object" && data !== null && "put" in data && "file" in data && data.file instanceof Blob;

scope.addEventListener("message", ({ data }) => {
  if (isPut(data)) engine.put(data.put, data.file);
  else void engine.handle(data).then((reply) => scope.postMessage({ reply }));
});
