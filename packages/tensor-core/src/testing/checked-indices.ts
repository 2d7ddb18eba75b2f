import { compile } from "../compile.js";
import { dequantize } from "../composites/dequantize.js";
import { softmaxCrossEntropy } from "../composites/loss.js";
import { loraBank, multiLora } from "../composites/multi-lora.js";
import { Device } from "../device.js";
import { IndexError } from "../errors.js";
import type { Format, MatrixShape, Parts } from "../formats/format.js";
import type { Tensor } from "../graph.js";
import { add } from "../ops/elementwise.js";
import { gather, linear, lookup, scatterAdd } from "../ops/linear.js";
import { rows } from "../ops/movement.js";
import { sum } from "../ops/reduce.js";
import { sizeOf } from "../shape.js";
import { gradients } from "../transforms/grad.js";
import { GPTQ } from "./own-format/known-formats.js";
import { demand, demandValues, type OwnershipCase, square } from "./demand.js";

/** @throws Error unless the work fails by an IndexError that says this */
async function demandFound(
  work: () => Promise<unknown>,
  ...expected: readonly [operation: string, operand: string, index: number, least: number, most: number]
): Promise<void> {
  const caught = await work().then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(caught instanceof IndexError)) throw new Error(`it did not fail by an IndexError: ${String(caught)}`);
  const { operation, operand, index, range } = caught;
  demand(`${[operation, operand, index, ...range]}` === `${expected}`, `it says "${caught.message}", expected ${expected}`);
}

const ids = (device: Device, ...values: readonly number[]): Tensor => device.tensor(Int32Array.from(values));

const CASES: readonly OwnershipCase[] = [
  {
    name: "an index outside its axis is an error that tells the one farthest out",
    run: async (device) => {
      const of = (...values: readonly number[]): Tensor => gather(square(device), ids(device, ...values), 1);
      await demandFound(() => of(0, 2, 1).data(), "gather", "index", 2, 0, 1);
      await demandFound(() => of(-5, 2).data(), "gather", "index", -5, 0, 1);
      await demandFound(() => of(2 ** 31 - 1, -1).data(), "gather", "index", 2 ** 31 - 1, 0, 1);
      await demandFound(() => of(-(2 ** 31), 1).data(), "gather", "index", -(2 ** 31), 0, 1);
      await demandValues(of(1, 0), 2, 1, 4, 3);
    },
  },
  {
    name: "a call that meets one leaves nothing allocated, and the next one runs",
    run: async (device, memory) => {
      const f = compile((x: Tensor, at: Tensor) => ({ rows: gather(x, at), total: sum(x) }), { device });
      const [x, good, bad] = [square(device), ids(device, 1, 1), ids(device, 0, 7)];
      for (const t of [x, good, bad]) device.bufferOf(t);
      for (const call of [f, await f.prepare(x, good)]) {
        const left = memory.sinceNow();
        await demandFound(() => call(x, bad), "gather", "index", 7, 0, 1);
        // A bound call keeps memory for the next one.
        if (call === f) demand(left() === 0, `${left()} buffers are left allocated`);
        const { rows, total } = await call(x, good);
        await demandValues(rows, 3, 4, 3, 4);
        await demandValues(total, 10);
        for (const t of [rows, total]) t.dispose();
      }
      f.dispose();
      const left = memory.sinceNow();
      await demandFound(() => device.evaluate([gather(x, bad)]), "gather", "index", 7, 0, 1);
      demand(left() === 0, `${left()} buffers are left allocated`);
    },
  },
  {
    name: "indices that a compiled function holds are checked, and those that it takes over",
    run: async (device) => {
      const fixed = compile((x: Tensor) => gather(x, ids(device, 2)), { device });
      await demandFound(() => fixed(square(device)), "gather", "index", 2, 0, 1);
      fixed.dispose();
      const walk = compile((at: Tensor, x: Tensor) => ({ next: add(at, 1), picked: gather(x, at) }), { device, donate: [0] });
      let at = ids(device, 0);
      for (const expected of [
        [1, 2],
        [3, 4],
      ]) {
        const { next, picked } = await walk(at, square(device));
        await demandValues(picked, ...expected);
        at = next;
      }
      await demandFound(() => walk(at, square(device)), "gather", "index", 2, 0, 1);
      walk.dispose();
    },
  },
  {
    name: "numbers that look up parts of a packed weight are checked, whatever reads the weight",
    run: async (device) => {
      const of = (format: Format, shape: MatrixShape, own: Parts): Tensor => {
        const zeros = Object.entries(format.parts(shape)).map(([name, spec]) => [
          name,
          device.tensor(new Float32Array(sizeOf(spec.shape)), spec),
        ]);
        return dequantize({ format, shape, parts: { ...Object.fromEntries(zeros), ...own } });
      };
      const gptq = (group: number): Tensor =>
        of(GPTQ, [8, 128], { g_idx: device.tensor(Int32Array.from({ length: 128 }, (_, i) => (i === 5 ? group : 1))) });
      await demandFound(() => lookup(device.tensor([1, 2]), ids(device, 1, 2)).data(), "lookup", "index", 2, 0, 1);
      await demandFound(
        () => linear(device.tensor(new Float32Array(128), { shape: [1, 128] }), gptq(3)).data(),
        "lookup",
        "index",
        3,
        0,
        1,
      );
      await demandFound(() => rows(gptq(-1), 0, 3).data(), "lookup", "index", -1, 0, 1);
      await demandValues(sum(gptq(1)), 0);
    },
  },
  {
    name: "of updates, labels and adapters of a batch each is checked for what it may be",
    run: async (device) => {
      const [x, bank] = [square(device), loraBank([square(device)], [square(device)], [1])];
      await demandFound(() => scatterAdd(x, ids(device, 0, 2), x).data(), "scatterAdd", "index", 2, 0, 1);
      await demandFound(() => softmaxCrossEntropy(x, ids(device, -100, 2)).data(), "softmaxCrossEntropy", "labels", 2, 0, 1);
      await demandFound(() => softmaxCrossEntropy(x, ids(device, -1, 0), -2).data(), "softmaxCrossEntropy", "labels", -1, 0, 1);
      await demandFound(() => multiLora(x, ids(device, -1, 1), bank).data(), "multiLora", "index", 1, 0, 0);
      await demandFound(() => multiLora(x, ids(device, -2, 0), bank).data(), "multiLora", "index", -2, 0, 0);
      const loss = softmaxCrossEntropy(x, ids(device, -100, 1));
      await device.evaluate([loss, ...gradients(loss, [x]), multiLora(x, ids(device, -1, 0), bank)]);
    },
  },
];

/** What a device does that checks indices, on any backend. */
export const CHECKED_INDICES: readonly OwnershipCase[] = CASES.map(({ name, run }) => ({
  name,
  run: (_, memory) => run(new Device(memory.backend, { checkIndices: true }), memory),
}));
