import { readdirSync, readFileSync } from "node:fs";
import * as core from "@weft/tensor-core";
import { expect, test } from "vitest";
import { firstOutside } from "./check.js";
import { drawCase } from "./fuzz.js";
import { Draw } from "./generate/draw.js";
import { GENERATORS, tryGenerator } from "./generate/index.js";
import { printCase } from "./print.js";
import { isLeaf, type Program, Ref } from "./program.js";
import { Random } from "./random.js";
import { boundsOf } from "./bounds-of.js";
import { runCase } from "./run-case.js";
import { type Case, outputsOf } from "./scenario.js";
import { shrink } from "./shrink.js";

/** Names of the primitives and composites that the core defines. */
function defined(): string[] {
  const sources = new URL("../../../packages/tensor-core/src/", import.meta.url);
  const composites = readdirSync(sources, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
    .flatMap((path) => [...readFileSync(new URL(path, sources), "utf8").matchAll(/: Composite = \{\s*name: "(\w+)"/g)].map((m) => m[1]!));
  return [...Object.keys(core.PRIMITIVES), ...new Set(composites)];
}

/** Names of the operations in a graph, composites as such. */
function operations(outputs: readonly core.Tensor[]): Set<string> {
  const seen = new Set<core.Node>();
  const visit = (t: core.Tensor): void => {
    if (seen.has(t.node)) return;
    seen.add(t.node);
    t.node.inputs.forEach(visit);
  };
  outputs.forEach(visit);
  return new Set([...seen].map((node) => node.op));
}

test("every primitive and composite has a generator, and no generator is without one", () => {
  expect(Object.keys(GENERATORS).toSorted()).toEqual(defined().toSorted());
});

test.each(Object.keys(GENERATORS))("the generator of %s makes it", (op) => {
  const found = Array.from({ length: 12 }, (_, seed) => {
    const draw = new Draw(new Random(seed), false);
    for (let i = 0; i < 40; i++) if (tryGenerator(draw, GENERATORS[op]!)) break;
    return operations(draw.values.map((v) => draw.tensor(v)));
  });
  expect(found.some((ops) => ops.has(op))).toBe(true);
});

const cases = (count: number): Case[] =>
  Array.from({ length: 400 }, (_, i) => drawCase(5, i))
    .filter((c) => c !== undefined)
    .slice(0, count);

test("the reference passes, and a seed always draws the same cases", async () => {
  const drawn = cases(60);
  expect(cases(60)).toEqual(drawn);
  for (const [i, c] of drawn.entries()) expect(await runCase(c, core.createReferenceBackend()), `case ${i}`).toBe(undefined);
});

const PLAIN = { donate: [], feed: [], bound: false, concurrent: false } as const;

/** A case out of one call on two leaves [2, 3]. */
function small(fn: string, args?: readonly number[]): Case {
  const leaf = (id: number): Program[number] => ({ id, leaf: "normal", shape: [2, 3], dtype: "f32", seed: id + 1 });
  return {
    program: [leaf(0), leaf(1), { id: 2, fn, args: [new Ref(0), new Ref(1)] }],
    scenario: { groups: [[new Ref(2)]], args, calls: args ? 2 : 1, ...PLAIN, seed: 1 },
  };
}

/** The reference backend with a fault. */
const faulty = (change: (inner: core.Backend) => Partial<core.Backend>): core.Backend => {
  const inner = core.createReferenceBackend();
  return { ...inner, ...change(inner) };
};
const addOff = (by: number): core.Backend =>
  faulty((inner) => ({
    async run(executable, inputs, outputs) {
      await inner.run(executable, inputs, outputs);
      if (!executable.kernels.some((k) => k.includes("add"))) return;
      const values = new Float32Array(inner.view!(outputs[0]!).buffer);
      values[0] = values[0]! * (1 + by);
    },
  }));

test("a result that is off by more than its rounding is found, by less is not", async () => {
  expect((await runCase(small("add"), addOff(3e-7)))?.text).toContain("element 0 is");
  expect((await runCase(small("add", [0]), addOff(3e-7)))?.text).toContain("element 0 is");
  expect(await runCase(small("add"), addOff(2 ** -26))).toBe(undefined);
  expect(await runCase(small("mul"), addOff(1))).toBe(undefined);
});

test("memory that is freed twice, or before its time, is found", async () => {
  const early = faulty((inner) => {
    const buffers: core.BackendBuffer[] = [];
    return {
      allocate: (bytes) => buffers[buffers.push(inner.allocate(bytes)) - 1]!,
      async run(executable, inputs, outputs) {
        await inner.run(executable, inputs, outputs);
        inner.free(buffers.at(-1)!);
      },
    };
  });
  expect((await runCase(small("add"), early))?.text).toContain("after it was freed");
});

test("a failing case shrinks to the call that fails, and its code runs by itself with the same result", async () => {
  const leaf = (id: number, shape: number[]): Program[number] => ({ id, leaf: "normal", shape, dtype: "f32", seed: id + 1 });
  const call = (id: number, fn: string, ...args: (number | number[] | Ref)[]): Program[number] => ({ id, fn, args });
  const long: Case = {
    program: [
      leaf(0, [4, 5]),
      leaf(1, [4, 5]),
      call(2, "tanh", new Ref(0)),
      call(3, "reshape", new Ref(2), [5, 4]),
      call(4, "transpose", new Ref(3), [1, 0]),
      call(5, "add", new Ref(4), new Ref(1)),
      call(6, "mul", new Ref(5), new Ref(2)),
    ],
    scenario: { groups: [[new Ref(3)], [new Ref(6), new Ref(5)]], args: undefined, calls: 1, ...PLAIN, seed: 3 },
  };
  const backend = addOff(1e-3);
  const found = await shrink(long, async (c) => (await runCase(c, backend)) !== undefined, 30);
  expect(found.program.filter((s) => !isLeaf(s)).map((s) => (isLeaf(s) ? "" : s.fn))).toEqual(["add"]);
  expect(outputsOf(found.scenario)).toHaveLength(1);
  expect(Math.max(...found.program.flatMap((s) => (isLeaf(s) ? s.shape : [])))).toBe(1);

  for (const c of [found, small("add", [0]), ...cases(12)]) {
    const printed = printCase(c).replace(/^import \{ (.*) \} from "@weft\/tensor-core";$/m, "const { $1 } = core;");
    const shown: ArrayLike<number>[] = [];
    const program = new Function("core", "backend", "console", `return (async () => {${printed}})()`) as (
      ...args: unknown[]
    ) => Promise<void>;
    await program(core, core.createReferenceBackend(), { log: (_: string, values: ArrayLike<number>) => shown.push(values) });
    const wanted = boundsOf(c).flat();
    expect(shown).toHaveLength(wanted.length);
    for (const [i, bounds] of wanted.entries()) expect(firstOutside(shown[i]!, bounds), printed).toBe(undefined);
  }
});
