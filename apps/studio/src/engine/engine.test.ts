import { createWasmBackend } from "@weft/kernels-wasm";
import { Device } from "@weft/tensor-core";
import { afterAll, beforeEach, expect, test, vi } from "vitest";
import type { Answer, CommandBody, CommandType } from "../protocol/commands.js";
import type { EngineEvent } from "../protocol/events.js";
import { Engine } from "./engine.js";

const device = new Device(await createWasmBackend({ threads: 1 }));
afterAll(() => device.dispose());

let events: EngineEvent[];
let engine: Engine;
beforeEach(() => {
  events = [];
  engine = new Engine({ openDevice: async () => device, isolated: true, store: undefined, emit: (event) => events.push(event) });
});

let sent = 0;
async function send<T extends CommandType>(type: T, body: CommandBody<T>): Promise<Answer<T>> {
  const reply = await engine.handle({ v: 1, id: `c${++sent}`, type, ...body });
  if ("error" in reply) throw Object.assign(new Error(reply.error.message), reply.error);
  return reply.ok as Answer<T>;
}
const CONFIG = { max_steps: 6, learning_rate: 5e-3, max_length: 64, packing: true, per_device_train_batch_size: 2, peft: { r: 4 } };
const startTiny = async (config: object = CONFIG): Promise<string> => {
  await send("open", { source: { tiny: "llama" } });
  return (await send("start", { source: { tiny: "llama" }, config: config as never })).run.id;
};
const phases = (): string[] => events.flatMap((event) => (event.type === "state" ? [event.phase] : []));
const losses = (): (number | null)[] => events.flatMap((event) => (event.type === "steps" ? event.steps.map(({ loss }) => loss) : []));
const reached = (phase: string): Promise<void> => vi.waitFor(() => expect(phases()).toContain(phase), { timeout: 30_000, interval: 5 });

test("a run tells every step once, in order, and ends", async () => {
  await startTiny({ ...CONFIG, sample_prompts: ["It is the"], sample_steps: 3 });
  await reached("finished");
  expect(phases()).toEqual(["preparing", "running", "finished"]);
  expect(events.flatMap((event) => (event.type === "steps" ? event.steps.map(({ step }) => step) : []))).toEqual([1, 2, 3, 4, 5, 6]);
  expect(losses().at(-1)!).toBeLessThan(losses()[0]!);
  expect(events.flatMap((event) => (event.type === "sample" ? [event.step] : []))).toEqual([0, 3, 6]);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1));
});

test("paused and continued it takes the steps of one that was not", async () => {
  await startTiny();
  await reached("finished");
  const whole = losses();
  events = [];
  engine = new Engine({ openDevice: async () => device, isolated: true, store: undefined, emit: (event) => events.push(event) });
  const run = await startTiny();
  await reached("running");
  await send("pause", { run });
  await reached("paused");
  const made = losses().length;
  expect(made).toBeLessThan(6);
  await send("resume", { run });
  await reached("finished");
  expect(phases()).toEqual(["preparing", "running", "pausing", "paused", "running", "finished"]);
  expect(losses()).toEqual(whole);
});

test("stopped, also while it is paused, it ends after the step under way", async () => {
  const run = await startTiny({ ...CONFIG, max_steps: 1000 });
  await reached("running");
  await send("stop", { run });
  await reached("finished");
  expect(losses().length).toBeLessThan(1000);
  const other = await startTiny({ ...CONFIG, max_steps: 1000 });
  await send("pause", { run: other });
  await reached("paused");
  await send("stop", { run: other });
  await vi.waitFor(() => expect(phases().at(-1)).toBe("finished"));
});

test("a failure is an event, with what to do", async () => {
  await startTiny({ ...CONFIG, learning_rate: 1e30, lr_scheduler_type: "constant" });
  await reached("failed");
  const last = events.findLast((event) => event.type === "state")!;
  expect(last).toMatchObject({ failure: { kind: "non-finite-loss", hint: expect.stringContaining("learning rate") } });
});

test("who comes later is told all again, from any event on", async () => {
  await startTiny();
  await reached("finished");
  const before = [...events];
  events.length = 0;
  const { runs, seq } = await send("hello", { since: 3 });
  expect(events).toEqual(before.slice(3));
  expect(runs).toMatchObject([{ phase: "finished", step: 6, maxSteps: 6, config: CONFIG }]);
  expect(seq).toBe(before.at(-1)!.seq);
});

test.each<[string, unknown, string]>([
  ["nothing", null, "protocol"],
  ["another version", { v: 2, id: "a", type: "hello", since: 0 }, "protocol"],
  ["an unknown command", { v: 1, id: "a", type: "constructor" }, "protocol"],
  ["a field too many", { v: 1, id: "a", type: "hello", since: 0, more: 1 }, "protocol"],
  ["an id that is a path", { v: 1, id: "a", type: "pause", run: "../x" }, "protocol"],
  ["a run that there is not", { v: 1, id: "a", type: "pause", run: "nobody" }, "no-match"],
  ["a model that there is not", { v: 1, id: "a", type: "start", source: { tiny: "constructor" }, config: {} }, "protocol"],
])("%s is refused", async (_, message, kind) => {
  expect(await engine.handle(message)).toMatchObject({ v: 1, error: { kind } });
});

test("settings that there are not, or that are none, are named", async () => {
  await expect(startTiny({ ...CONFIG, learning_rat: 1 })).rejects.toMatchObject({
    kind: "unknown-field",
    message: expect.stringContaining("learning_rat"),
  });
  await expect(startTiny({ ...CONFIG, max_steps: -1 })).rejects.toMatchObject({ message: expect.stringContaining("max_steps") });
  await startTiny({ ...CONFIG, max_steps: 50 });
  await expect(startTiny()).rejects.toMatchObject({ kind: "busy" });
  await send("stop", { run: (await send("hello", { since: 1e9 })).runs.at(-1)!.id });
  await reached("finished");
});
