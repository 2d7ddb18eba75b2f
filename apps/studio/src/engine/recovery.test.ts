import { createWasmBackend } from "@weft/kernels-wasm";
import { Device } from "@weft/tensor-core";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { EngineEvent } from "../protocol/events.js";
import { MemoryRunStore } from "../testing/memory-store.js";
import { Engine } from "./engine.js";

const device = new Device(await createWasmBackend({ threads: 1 }));
afterAll(() => device.dispose());

const CONFIG = {
  max_steps: 6,
  learning_rate: 5e-3,
  max_length: 64,
  packing: true,
  per_device_train_batch_size: 2,
  peft: { r: 4 },
  save_steps: 3,
};

/** An engine over a store, and all that it tells. */
function engineOver(store: MemoryRunStore): {
  readonly events: EngineEvent[];
  send(command: object): Promise<unknown>;
  reached(phase: string): Promise<void>;
} {
  const events: EngineEvent[] = [];
  // As pages do: what is told again is not taken twice.
  const emit = (event: EngineEvent): void => void (event.seq > (events.at(-1)?.seq ?? 0) && events.push(event));
  const engine = new Engine({ openDevice: async () => device, isolated: true, store, emit });
  let sent = 0;
  return {
    events,
    async send(command) {
      const reply = await engine.handle({ v: 1, id: `c${++sent}`, ...command });
      if ("error" in reply) throw new Error(reply.error.message);
      return reply.ok;
    },
    reached: (phase) =>
      vi.waitFor(() => expect(events.findLast((event) => event.type === "state")).toMatchObject({ phase }), {
        timeout: 60_000,
        interval: 5,
      }),
  };
}
const told = <T extends EngineEvent["type"]>(events: readonly EngineEvent[], type: T): Extract<EngineEvent, { type: T }>[] =>
  events.filter((event): event is Extract<EngineEvent, { type: T }> => event.type === type);

const whole = new MemoryRunStore();
let id: string;
beforeAll(async () => {
  const engine = engineOver(whole);
  ({
    run: { id },
  } = (await engine.send({ type: "start", source: { tiny: "llama" }, config: CONFIG })) as { run: { id: string } });
  await engine.reached("finished");
  await vi.waitFor(() => expect(whole.runs.get(id)!.phase).toBe("finished"));
});

/** What a tab that was killed after step 5 leaves. @param loss of that step, if it was another one */
function interrupted(loss?: number): MemoryRunStore {
  const store = new MemoryRunStore();
  store.runs.set(id, { ...whole.runs.get(id)!, phase: "running" });
  store.metrics.set(
    id,
    whole.metrics
      .get(id)!
      .slice(0, 5)
      .map((step) => (step.step === 5 && loss !== undefined ? { ...step, loss } : step)),
  );
  store.files.set(id, new Map([[3, whole.files.get(id)!.get(3)!]]));
  return store;
}
const bytes = async (store: MemoryRunStore, name: string): Promise<Uint8Array> =>
  new Uint8Array(await (await store.readCheckpoint(id, 6)).get(name)!.arrayBuffer());

test("a run writes its checkpoints, the last step among them", async () => {
  expect(await whole.checkpoints(id)).toEqual([3, 6]);
  expect((await whole.steps(id)).map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
});

test("one that was interrupted goes on from its checkpoint, repeats what was lost, and ends as the one that was not", async () => {
  const store = interrupted();
  const { send, events, reached } = engineOver(store);
  await send({ type: "hello", since: 0 });
  expect(told(events, "recovered")).toMatchObject([{ step: 5, checkpoint: 3 }]);
  expect(told(events, "steps")[0]!.steps.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5]);
  await send({ type: "resume", run: id });
  await reached("finished");
  expect(told(events, "verified")).toMatchObject([{ steps: 2, differs: null }]);
  for (const name of ["adapter_model.safetensors", "optimizer.safetensors", "trainer_state.json", "weft_state.json"])
    expect(await bytes(store, name)).toEqual(await bytes(whole, name));
});

test("it says from which step on it is another training", async () => {
  const { send, events, reached } = engineOver(interrupted(1.25));
  await send({ type: "hello", since: 0 });
  await send({ type: "resume", run: id });
  await reached("finished");
  expect(told(events, "verified")).toMatchObject([{ steps: 2, differs: 5 }]);
});

test("a checkpoint that was changed is refused, and says so", async () => {
  const store = interrupted();
  const files = new Map(store.files.get(id)!.get(3)!);
  const changed = new Uint8Array(await files.get("optimizer.safetensors")!.arrayBuffer());
  changed[changed.length - 1]! ^= 1;
  store.files.get(id)!.set(3, files.set("optimizer.safetensors", new Blob([changed])));
  const { send, events, reached } = engineOver(store);
  await send({ type: "hello", since: 0 });
  await send({ type: "resume", run: id });
  await reached("failed");
  expect(told(events, "state").at(-1)).toMatchObject({ failure: { kind: "bad-checkpoint", hint: "take an older checkpoint" } });
});

test("without room for a checkpoint it pauses, and nothing is overwritten", async () => {
  const store = interrupted();
  store.full = true;
  const { send, events, reached } = engineOver(store);
  await send({ type: "hello", since: 0 });
  await send({ type: "resume", run: id });
  await send({ type: "checkpoint", run: id });
  await reached("paused");
  expect(told(events, "notice").at(-1)).toMatchObject({
    kind: "storage-full",
    message: expect.stringMatching(/^No space for checkpoint \d; nothing overwritten, run paused\.$/),
  });
  expect(await store.checkpoints(id)).toEqual([3]);
  await send({ type: "stop", run: id });
});
