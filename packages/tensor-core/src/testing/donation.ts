import { compile } from "../compile.js";
import { adamwStep } from "../composites/optimizer.js";
import type { Device } from "../device.js";
import type { Tensor } from "../graph.js";
import { add, mul, sub } from "../ops/elementwise.js";
import { matmul } from "../ops/linear.js";
import { flip, reshape, transpose } from "../ops/movement.js";
import { update } from "../ops/moving-box.js";
import { sum } from "../ops/reduce.js";
import { disposeTree } from "../transforms/tree.js";
import { demand, demandFailure, demandNothingLeft, demandValues, type OwnershipCase, pair, square } from "./demand.js";

/** A computed tensor, as states of loops are, of values that a constant gives. */
async function computed(device: Device, constant: Tensor): Promise<Tensor> {
  const t = add(constant, 0);
  await device.evaluate([t]);
  constant.dispose();
  return t;
}

/** Donated arguments and bound calls. */
export const DONATION: readonly OwnershipCase[] = [
  {
    name: "a state that is donated is updated where it lies",
    run: (device, memory) =>
      demandNothingLeft(memory, async () => {
        const step = compile(({ a, b }: { a: Tensor; b: Tensor }) => ({ a: add(a, 1), b: mul(b, 2) }), { device, donate: [0] });
        let state = await step({ a: pair(device), b: pair(device, 3) });
        const first = state;
        const allocated = memory.allocated();
        for (let i = 0; i < 3; i++) state = await step(state);
        demand(memory.allocated() === allocated, `${memory.allocated() - allocated} buffers were allocated`);
        await demandValues(state.a, 5, 6);
        await demandValues(state.b, 48, 64);
        await demandFailure(() => first.a.data(), "donated");
        await demandFailure(() => step(first), "donated");
        await demandFailure(() => add(first.b, 1).data(), "donated");
        disposeTree(first);
        disposeTree(state);
        step.dispose();
      }),
  },
  {
    name: "a constant that is donated can be used again",
    run: (device, memory) =>
      demandNothingLeft(memory, async () => {
        using x = pair(device);
        const f = compile((t: Tensor) => mul(t, 5), { device, donate: [0] });
        for (let i = 0; i < 2; i++) {
          using y = await f(x);
          await demandValues(y, 5, 10);
        }
        await demandValues(x, 1, 2);
        f.dispose();
      }),
  },
  {
    name: "what others share is not overwritten: views, other arguments, calls under way",
    run: (device, memory) =>
      demandNothingLeft(memory, async () => {
        const f = compile((x: Tensor, y: Tensor) => ({ p: add(x, 1), q: mul(y, 3) }), { device, donate: [0] });
        const x = await computed(device, square(device));
        const view = reshape(x, [4]);
        await device.evaluate([view]);
        using other = square(device);
        const a = await f(x, other);
        await demandValues(a.p, 2, 3, 4, 5);
        await demandValues(view, 1, 2, 3, 4);
        const y = await computed(device, square(device));
        const b = await f(y, y);
        await demandValues(b.p, 2, 3, 4, 5);
        await demandValues(b.q, 3, 6, 9, 12);
        const z = await computed(device, square(device));
        const [c, d] = await Promise.allSettled([f(z, other), f(z, other)]);
        demand(c.status === "fulfilled", "the first of two calls with one state failed");
        for (const each of [c, d]) if (each.status === "fulfilled") await demandValues(each.value.p, 2, 3, 4, 5);
        for (const each of [a, b, ...[c, d].flatMap((r) => (r.status === "fulfilled" ? [r.value] : []))]) disposeTree(each);
        view.dispose();
        f.dispose();
      }),
  },
  {
    name: "what is passed through or swapped moves, without a copy",
    run: (device, memory) =>
      demandNothingLeft(memory, async () => {
        const f = compile((p: { a: Tensor; b: Tensor; c: Tensor }) => ({ a: add(p.a, 1), b: p.c, c: reshape(p.b, [1, 2]) }), {
          device,
          donate: [0],
        });
        const [a, b, c] = [
          await computed(device, pair(device)),
          await computed(device, pair(device, 3)),
          await computed(device, pair(device, 5)),
        ];
        const before = memory.allocated();
        const next = await f({ a, b, c });
        demand(memory.allocated() === before, `${memory.allocated() - before} buffers were allocated`);
        await demandValues(next.a, 2, 3);
        await demandValues(next.b, 5, 6);
        await demandValues(next.c, 3, 4);
        for (const old of [a, b, c]) await demandFailure(() => old.data(), "donated");
        disposeTree(next);
        f.dispose();
      }),
  },
  {
    name: "nothing is overwritten that is still to be read",
    run: async (device) => {
      const f = compile(
        (s: { x: Tensor; y: Tensor }, z: Tensor) => ({
          early: add(s.x, 1),
          product: matmul(s.x, z),
          crossed: mul(s.y, 2),
          turned: add(transpose(s.y), s.x),
          flipped: sub(flip(s.x, [0]), s.x),
        }),
        { device, donate: [0] },
      );
      for (let i = 0; i < 2; i++) {
        const s = { x: await computed(device, square(device)), y: await computed(device, mul(square(device), 10)) };
        const r = await f(s, device.tensor([0, 1, 1, 0], { shape: [2, 2] }));
        await demandValues(r.early, 2, 3, 4, 5);
        await demandValues(r.product, 2, 1, 4, 3);
        await demandValues(r.crossed, 20, 40, 60, 80);
        await demandValues(r.turned, 11, 32, 23, 44);
        await demandValues(r.flipped, 2, 2, -2, -2);
      }
    },
  },
  {
    name: "boxes are written into a donated base, optimiser steps over the state",
    run: (device, memory) =>
      demandNothingLeft(memory, async () => {
        const [value, rate, one] = [device.tensor([7]), device.tensor(0.5), device.tensor(1)];
        const places = [0, 2].map((at) => device.tensor([at], { dtype: "i32" }));
        const write = compile((base: Tensor, at: Tensor) => update(base, value, at), { device, donate: [0] });
        const step = compile(
          (s: { p: Tensor; m: Tensor; v: Tensor }, g: Tensor) =>
            adamwStep({ ...s, g, lr: rate, step: one }, { beta1: 0, beta2: 0, eps: 0, weightDecay: 0 }),
          { device, donate: [0] },
        );
        const zeros = (): Promise<Tensor> => computed(device, device.tensor([0, 0]));
        const g = pair(device);
        for (const place of places) device.bufferOf(place);
        let cache = await write(await computed(device, device.tensor([1, 2, 3, 4])), places[0]!);
        let state = await step({ p: await zeros(), m: await zeros(), v: await zeros() }, g);
        const before = memory.allocated();
        cache = await write(cache, places[1]!);
        state = await step(state, g);
        demand(memory.allocated() === before, `${memory.allocated() - before} buffers were allocated`);
        await demandValues(cache, 7, 2, 7, 4);
        // With β = 0 a step is -lr · g / |g|.
        await demandValues(state.p, -1, -1);
        await demandValues(state.m, 1, 2);
        await demandValues(state.v, 1, 4);
        disposeTree([cache, state, g, value, rate, one, ...places]);
        write.dispose();
        step.dispose();
      }),
  },
  {
    name: "a call that cannot begin leaves its state to its caller",
    run: async (device, memory) => {
      const f = compile((x: Tensor, y: Tensor) => ({ x: add(x, 1), sum: sum(matmul(x, y)) }), { device, donate: [0] });
      const x = await computed(device, square(device));
      const y = await computed(device, square(device));
      for (const method of ["lower", "allocate"] as const) {
        memory.failNext(method);
        await demandFailure(() => f(x, y));
      }
      const r = await f(x, y);
      await demandValues(r.x, 2, 3, 4, 5);
      await demandValues(r.sum, 54);
    },
  },
  {
    name: "a bound call with a donated state allocates nothing after its first run",
    run: (device, memory) =>
      demandNothingLeft(memory, async () => {
        const step = compile((s: Tensor, x: Tensor) => ({ s: add(s, x), loss: sum(mul(s, x)) }), { device, donate: [0] });
        using x = pair(device);
        let s = await computed(device, pair(device));
        const bound = await step.prepare(s, x);
        demand((await step.prepare(s, x)) === bound, "another bound call for the same signature");
        let allocated = 0;
        for (let i = 0; i < 5; i++) {
          const r = await bound(s, x);
          s = r.s;
          await demandValues(r.loss, 5 * (i + 1));
          r.loss.dispose();
          if (i === 0) allocated = memory.allocated();
        }
        demand(memory.allocated() === allocated, `${memory.allocated() - allocated} buffers were allocated`);
        await demandValues(s, 6, 12);
        // What is kept stays as it is; its memory is its own until it is disposed of.
        const kept = await bound(s, x);
        const later = await bound(kept.s, x);
        await demandValues(kept.loss, 30);
        await demandValues(later.loss, 35);
        step.dispose();
        await demandFailure(() => bound(later.s, x), "disposed");
        await demandValues(later.s, 8, 16);
        disposeTree([kept.loss, later]);
      }),
  },
  {
    name: "a bound call refuses other arguments",
    run: async (device) => {
      const f = compile((x: Tensor, by: number) => mul(x, by), { device });
      const bound = await f.prepare(pair(device), 2);
      await demandValues(await bound(pair(device, 4), 2), 8, 10);
      await demandFailure(() => bound(square(device), 2), "shape");
      await demandFailure(() => bound(pair(device), 3), "shape");
    },
  },
];
