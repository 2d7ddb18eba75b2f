import { expect, test } from "vitest";
import type { NewEvent } from "../protocol/events.js";
import { Session } from "./session.js";

const state = (seq: number, phase: "preparing" | "running", step: number) => ({
  event: { v: 1, seq, run: "r", type: "state", phase, step, maxSteps: 9, at: 1 } satisfies NewEvent & { v: 1; seq: number },
});
const steps = (seq: number, step: number) => ({
  event: { v: 1, seq, run: "r", type: "steps", steps: [{ step, loss: 1, lr: 1, gradNorm: 1, tokens: 1, tokPerS: 1, bytes: 1 }] },
});

test("what an engine tells others before it has answered takes nothing away of what it tells anew", async () => {
  const session = new Session();
  let say: (message: unknown) => void;
  await session.connect(
    {
      listen: (message) => (say = message),
      put: () => undefined,
      send(command) {
        const { id } = command as { id: string };
        say(steps(4, 2));
        for (const message of [state(1, "preparing", 0), state(2, "running", 0), steps(3, 1), steps(4, 2)]) say(message);
        const device = { backend: "wasm", threads: 1, isolated: true, bytes: 0 };
        const run = { id: "r", createdAt: 1, source: { tiny: "llama" }, config: {}, phase: "running", step: 2, maxSteps: 9 };
        say({ reply: { v: 1, id, ok: { device, documents: [], runs: [run], seq: 4 } } });
      },
    },
    false,
  );
  const { run } = session;
  expect([run.value!.state.value.phase, run.value!.state.value.step, run.value!.series.length]).toEqual(["running", 2, 2]);
  say!(steps(5, 3));
  expect([run.value!.state.value.step, run.value!.series.length]).toEqual([3, 3]);
});
