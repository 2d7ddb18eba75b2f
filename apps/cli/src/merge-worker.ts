import { parentPort, workerData } from "node:worker_threads";
import { packError, type WorkerInput, workThrough } from "@weft/checkpoint/node";
import { loadMethods } from "./methods/load-methods.js";

try {
  const input = workerData as WorkerInput;
  await workThrough(input, (await loadMethods(input.methodFiles)).table);
  parentPort!.postMessage({ finished: true });
} catch (error) {
  parentPort!.postMessage({ error: packError(error) });
}
