import { describe, expect, it } from "vitest";
import { ArenaLayout } from "./arena-layout.js";
import type { BufferSpec, Operand, Step } from "./plan.js";

const operand = (buffer: number): Operand => ({ buffer, dtype: "f32", shape: [1], strides: [1], offset: 0 });
const step = (inputs: readonly number[], outputs: readonly number[]): Step => ({
  kind: "op",
  op: "step",
  attrs: {},
  inputs: inputs.map(operand),
  outputs: outputs.map(operand),
  flops: 0,
});
const scratch = (offset: number, bytes: number): BufferSpec => ({ role: "scratch", offset, bytes });

/** An input 0, a scratch buffer 1 of steps 0–2 at 0, one 2 of steps 1–2 at 256, an output 3. */
const plan = {
  buffers: [{ role: "input", bytes: 64 }, scratch(0, 100), scratch(256, 64), { role: "output", bytes: 64 }] as BufferSpec[],
  steps: [step([0], [1]), step([1], [2]), step([1, 2], [3]), step([0], [3])],
  scratchBytes: 320,
};

describe("places of temporaries in the arena", () => {
  it("lie in the gaps that the buffers of their step leave, each at a place of its own", () => {
    const layout = new ArenaLayout(plan, 64);
    layout.begin(0);
    expect([layout.take(64), layout.take(150)]).toEqual([128, 192]); // buffer 2 does not live yet
    layout.begin(1);
    expect([layout.take(64), layout.take(64), layout.take(64)]).toEqual([128, 192, 320]);
    layout.begin(3);
    expect(layout.take(320)).toBe(0);
    expect(layout.bytes).toBe(384);
  });

  it("are free again behind their part of a step", () => {
    const layout = new ArenaLayout(plan, 64);
    layout.begin(1);
    layout.take(64);
    expect(layout.scoped(() => [layout.take(64), layout.take(10)])).toEqual([192, 320]);
    expect(layout.take(64)).toBe(192);
    expect(layout.bytes).toBe(330);
  });

  it("never lie where something is kept for the whole plan", () => {
    const layout = new ArenaLayout(plan, 64);
    expect(layout.keep(4)).toBe(320);
    layout.begin(2);
    expect(layout.take(200)).toBe(384);
    layout.begin(3);
    expect([layout.take(320), layout.take(10)]).toEqual([0, 384]);
  });

  it("need no more than the plan's scratch if there are none", () => {
    const layout = new ArenaLayout(plan, 64);
    plan.steps.forEach((_, at) => layout.begin(at));
    expect(layout.bytes).toBe(320);
  });
});
