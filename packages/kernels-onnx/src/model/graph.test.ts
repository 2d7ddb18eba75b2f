import type { Tensor } from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { operatorsOf } from "./reader.js";
import { hasRuntime, REASON } from "../testing/runtime.js";
import { Graph } from "./graph.js";
import { TYPE } from "./messages.js";

/** Not imported where it would throw. */
const ort = hasRuntime() ? await import("onnxruntime-node") : undefined;

const f32 = (values: readonly number[], dims: readonly number[] = [values.length]): Tensor =>
  new ort!.Tensor("float32", Float32Array.from(values), dims);

/** What the runtime's own reader makes of a model. */
async function run(
  graph: Graph,
  feeds: Record<string, Tensor>,
  externalData: { path: string; data: Uint8Array }[] = [],
): Promise<Record<string, Tensor>> {
  const session = await ort!.InferenceSession.create(graph.model(), {
    externalData,
    graphOptimizationLevel: "disabled",
    logSeverityLevel: 4,
  });
  const results = await session.run(feeds);
  await session.release();
  return results as Record<string, Tensor>;
}

describe.skipIf(!hasRuntime())(`a graph as onnxruntime reads it${REASON}`, () => {
  it("has attributes of every kind", async () => {
    const graph = new Graph();
    const x = graph.input("x", TYPE.f32, [2, 3]);
    const turned = graph.node("Transpose", [x], { perm: [1, 0] }); // whole numbers
    const leaky = graph.node("LeakyRelu", [turned], { alpha: { float: 0.5 } }); // a float
    const soft = graph.node("Softmax", [x], { axis: -2 }); // a negative number, ten bytes long
    const bits = graph.node("BitCast", [x], { to: TYPE.u32 });
    const half = graph.node("BitShift", [bits, graph.constant(TYPE.u32, [], Uint32Array.of(31))], { direction: "RIGHT" }); // text
    graph.output("leaky", leaky, TYPE.f32, [3, 2]);
    graph.output("soft", soft, TYPE.f32, [2, 3]);
    graph.output("signs", half, TYPE.u32, [2, 3]);
    const { leaky: a, soft: b, signs } = await run(graph, { x: f32([1, -2, 3, 1, 0, -6], [2, 3]) });
    expect([...(a!.data as Float32Array)]).toEqual([1, 1, -1, 0, 3, -3]);
    expect(b!.data[0]).toBe(0.5);
    expect([...(signs!.data as Uint32Array)]).toEqual([0, 1, 0, 0, 0, 1]);
  });

  it("calls once what is called twice under a label", () => {
    const graph = new Graph();
    const x = graph.input("x", TYPE.f32, [2]);
    const call = (perm: number): string => graph.node("Transpose", [x], { perm: [perm] });
    const first = call(0);
    expect([call(0) === first, call(1) === first]).toEqual([true, false]);
    graph.label = "1";
    expect(call(0)).not.toBe(first);
  });

  it("calls once in all what is small", () => {
    const graph = new Graph();
    const x = graph.input("x", TYPE.f32, [2]);
    const call = (): string => graph.node("Neg", [x], {}, "", true);
    const first = call();
    graph.label = "1";
    expect(call()).toBe(first);
  });

  it("leaves out what no result is made of", () => {
    const graph = new Graph();
    const x = graph.input("x", TYPE.f32, [2]);
    graph.node("Exp", [graph.node("Abs", [x])]);
    graph.output("y", graph.node("Neg", [x]), TYPE.f32, [2]);
    expect(operatorsOf(graph.model())).toEqual(["Neg"]);
  });

  it("has loops", async () => {
    const body = new Graph("s");
    const [before, at] = [body.input("before", TYPE.f32, [1]), body.input("at", TYPE.f32, [1])];
    const next = body.node("Add", [before, at]);
    body.output("next", next, TYPE.f32, [1]);
    body.output("element", next, TYPE.f32, [1]);
    const graph = new Graph();
    const x = graph.input("x", TYPE.f32, [4, 1]);
    const start = graph.constant(TYPE.f32, [1], Float32Array.of(10));
    const [, sums] = graph.call("Scan", [start, x], 2, { body: { graph: body.body() }, num_scan_inputs: 1 });
    graph.output("sums", sums!, TYPE.f32, [4, 1]);
    expect([...((await run(graph, { x: f32([1, 2, 3, 4], [4, 1]) })).sums!.data as Float32Array)]).toEqual([11, 13, 16, 20]);
  });

  it("has constants of its own, large ones and such that are handed over beside it", async () => {
    const graph = new Graph();
    const large = Float32Array.from({ length: 5000 }, (_, i) => i);
    const outside = Float32Array.from({ length: 5000 }, (_, i) => 2 * i);
    const sum = graph.node("Add", [graph.constant(TYPE.f32, [5000], large), graph.external("w", TYPE.f32, [5000])]);
    const one = graph.constant(TYPE.f32, [], Float32Array.of(1));
    expect(graph.constant(TYPE.f32, [], Float32Array.of(1))).toBe(one);
    expect(graph.constant(TYPE.f32, [1], Float32Array.of(1))).not.toBe(one);
    graph.output("y", graph.node("Add", [sum, one]), TYPE.f32, [5000]);
    const { y } = await run(graph, {}, [{ path: "w", data: new Uint8Array(outside.buffer) }]);
    expect([y!.data[0], y!.data[4999]]).toEqual([1, 4999 * 3 + 1]);
  });

  it("makes one value several results, and inputs and constants results", async () => {
    const graph = new Graph();
    const x = graph.input("x", TYPE.f32, [2]);
    const y = graph.node("Neg", [x]);
    for (const name of ["a", "b", "c"]) graph.output(name, y, TYPE.f32, [2]);
    graph.output("same", x, TYPE.f32, [2]);
    graph.output("fixed", graph.constant(TYPE.f32, [1], Float32Array.of(7)), TYPE.f32, [1]);
    const results = await run(graph, { x: f32([1, 2]) });
    const values = Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, [...(data as Float32Array)]]));
    expect(values).toEqual({ a: [-1, -2], b: [-1, -2], c: [-1, -2], same: [1, 2], fixed: [7] });
  });
});
