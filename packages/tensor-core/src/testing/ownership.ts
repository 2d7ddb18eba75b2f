import { compile } from "../compile.js";
import { topK } from "../composites/top-k.js";
import { Device, referenceDevice } from "../device.js";
import { evaluate } from "../evaluate.js";
import type { Tensor } from "../graph.js";
import { add, mul } from "../ops/elementwise.js";
import { matmul } from "../ops/linear.js";
import { reshape } from "../ops/movement.js";
import { createReferenceBackend } from "../reference/backend.js";
import { disposeTree } from "../transforms/tree.js";
import { demand, demandFailure, demandNothingLeft, demandValues, type OwnershipCase, pair, square } from "./demand.js";

/**
 * Who owns memory: results, views that share it, arguments of calls, constants. Every backend keeps these by doing what `Backend` says; expected values are
 * counted by hand.
 */
export const OWNERSHIP: readonly OwnershipCase[] = [
  {
    name: "a result of a compiled function that is a reshaped argument has its own shape",
    run: async (device) => {
      const flat = await compile((x: Tensor) => reshape(x, [4]), { device })(square(device));
      demand(`${flat.shape}` === "4", `its shape is [${flat.shape}]`);
      await demandValues(flat, 1, 2, 3, 4);
    },
  },
  {
    name: "each result of a node keeps its own values",
    run: async (device) => {
      const { values, indices } = topK(device.tensor([3, 9, 4]), 2);
      await device.evaluate([values, indices]);
      await demandValues(reshape(indices, [2]), 1, 2);
      await demandValues(reshape(values, [2]), 9, 4);
    },
  },
  {
    name: "and those that the reference device has computed keep theirs elsewhere",
    run: async (device) => {
      const { values, indices } = topK(referenceDevice().tensor([3, 9, 4]), 2);
      await evaluate(values, indices);
      await demandValues(add(indices, device.tensor([10, 20], { dtype: "i32" })), 11, 22);
      await demandValues(mul(values, pair(device)), 9, 8);
    },
  },
  {
    name: "a view shares memory, which lives until both are disposed of",
    run: (device, memory) =>
      demandNothingLeft(memory, async () => {
        for (const viewFirst of [true, false]) {
          using one = square(device);
          const x = add(one, 1);
          await device.evaluate([x]);
          const more = memory.sinceNow();
          const y = reshape(x, [4]);
          await device.evaluate([y]);
          demand(more() === 0, "the view has memory of its own");
          (viewFirst ? y : x).dispose();
          await demandValues(viewFirst ? x : y, 2, 3, 4, 5);
          (viewFirst ? x : y).dispose();
        }
      }),
  },
  {
    name: "a result that is an argument outlives it",
    run: (device, memory) =>
      demandNothingLeft(memory, async () => {
        const step = compile((p: { a: Tensor; frozen: Tensor }) => ({ a: add(p.a, 1), frozen: p.frozen }), { device });
        let state = { a: pair(device), frozen: pair(device, 5) };
        for (let i = 0; i < 3; i++) {
          const next = await step(state);
          disposeTree(state);
          state = next;
        }
        await demandValues(state.a, 4, 5);
        await demandValues(state.frozen, 5, 6);
        disposeTree(state);
        step.dispose();
      }),
  },
  {
    name: "a call holds its arguments until it is done",
    run: async (device) => {
      const f = compile((x: Tensor) => mul(x, 2), { device });
      const make = async (): Promise<Tensor> => await compile((t: Tensor) => add(t, 1), { device })(pair(device));
      for (let i = 0; i < 2; i++) {
        const x = await make();
        const running = f(x);
        x.dispose();
        await demandValues(await running, 4, 6);
      }
      const x = await make();
      const lazy = add(x, 1);
      const running = f(lazy);
      x.dispose();
      await demandValues(await running, 6, 8);
    },
  },
  {
    name: "what is disposed of is gone at once, and says so; a constant comes back",
    run: (device, memory) =>
      demandNothingLeft(memory, async () => {
        const x = pair(device);
        const y = mul(x, 3);
        const more = memory.sinceNow();
        await device.evaluate([y]);
        demand(more() === 2, `${more()} buffers for a constant and a result`);
        y.dispose();
        y.dispose();
        x.dispose();
        x.dispose();
        demand(more() === 0, "dispose does not free at once");
        await demandFailure(() => y.data(), "disposed");
        await demandFailure(() => add(y, 1).data(), "disposed");
        const f = compile((t: Tensor) => add(t, 1), { device });
        await demandFailure(() => f(y), "disposed");
        const again = mul(x, 4);
        await demandValues(again, 4, 8);
        x.dispose();
        again.dispose();
      }),
  },
  {
    name: "what fails leaves nothing allocated, and what it was given as it was",
    run: async (device, memory) => {
      const a = add(square(device), 0);
      await device.evaluate([a]);
      const f = compile((t: Tensor) => ({ p: matmul(t, t), q: add(t, 1) }), { device });
      for (const method of ["lower", "run", "allocate", "run"] as const) {
        await demandNothingLeft(memory, async () => {
          memory.failNext(method);
          await demandFailure(() => f(a));
        });
      }
      await demandNothingLeft(memory, async () => {
        for (const method of ["lower", "allocate", "upload", "run"] as const) {
          const c = square(device);
          memory.failNext(method);
          await demandFailure(() => matmul(c, c).data());
          c.dispose();
        }
      });
      const { p, q } = await f(a);
      await demandValues(p, 7, 10, 15, 22);
      await demandValues(q, 2, 3, 4, 5);
    },
  },
  {
    name: "a tensor of another device is refused",
    run: async (device) => {
      const other = new Device(createReferenceBackend());
      const f = compile((t: Tensor) => add(t, 1), { device });
      await demandValues(await f(pair(device)), 2, 3);
      await demandFailure(() => f(pair(other)), "other-device");
      const computed = mul(pair(other), 2);
      await demandFailure(() => f(computed), "other-device");
      await computed.data();
      await demandFailure(() => f(computed), "other-device");
      // Tensors of no device, and those of the reference device, go with any.
      const near = mul(referenceDevice().tensor([1, 2]), 2);
      await near.data();
      await demandValues(await f(near), 3, 5);
    },
  },
];
