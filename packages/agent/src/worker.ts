// The program of a worker: loads one engine, and runs calls one after the other.
import { WeftError } from "@weft/tensor-core";
import { loadEngine } from "./engines/load-engine.js";
import { openPort } from "./executor/port.js";
import { failureOf } from "./executor/failure-of.js";
import type { WorkerCall, WorkerStart } from "./executor/protocol.js";

const port = openPort();
port.onceStarted(async (start: WorkerStart) => {
  try {
    const engine = await loadEngine(start);
    port.onCall(async ({ input, deadline }: WorkerCall) => {
      try {
        const result = await engine.run(input, deadline);
        port.send({ result, broken: !result.ok && (result.reason === "timeout" || result.reason === "memory") });
      } catch (error) {
        // What the engine itself says is wrong with its input leaves it as it was.
        port.send({ result: failureOf(error), broken: !(error instanceof WeftError) });
      }
    });
    port.send({ ready: true });
  } catch (error) {
    port.send({ failed: failureOf(error) });
  }
});
