import { compile } from "../compile.js";
import type { Device } from "../device.js";
import type { Tensor } from "../graph.js";
import { cast } from "../ops/cast.js";
import { add, mul } from "../ops/elementwise.js";
import { slice } from "../ops/movement.js";
import { fromSource } from "../ops/create.js";
import { demand, demandFailure, demandNothingLeft, demandValues, type OwnershipCase, pair } from "./demand.js";

/** A constant [1, 2] from a source, and how often that was read. */
function counted(device: Device, wait = true): { t: Tensor; reads: () => number } {
  let reads = 0;
  const read = (): Uint8Array | Promise<Uint8Array> => {
    reads++;
    const bytes = new Uint8Array(Float32Array.of(1, 2).buffer);
    return wait ? Promise.resolve(bytes) : bytes;
  };
  return { t: fromSource({ shape: [2], dtype: "f32", device, read }), reads: () => reads };
}

/** Constants that are read when they are needed. */
export const SOURCES: readonly OwnershipCase[] = [
  {
    name: "a constant from a source is read once, when it is needed, and again when it was disposed of",
    run: (device, memory) =>
      demandNothingLeft(memory, async () => {
        for (const wait of [true, false]) {
          const { t, reads } = counted(device, wait);
          const f = compile((x: Tensor) => add(mul(x, t), t), { device });
          using x = pair(device, 3);
          demand(reads() === 0, "it was read too early");
          for (const y of await Promise.all([f(x), f(x), f(t)])) y.dispose();
          using y = await f(x);
          await demandValues(y, 4, 10);
          using z = mul(t, 2);
          await demandValues(z, 2, 4);
          await demandValues(t, 1, 2);
          demand(reads() === 1, `it was read ${reads()} times`);
          t.dispose();
          using again = await f(x);
          await demandValues(again, 4, 10);
          demand(reads() === 2, `it was read ${reads()} times after dispose`);
          t.dispose();
          await demandValues(t, 1, 2);
          await device.load([t, t]);
          demand(reads() === 4, `it was read ${reads()} times by data() and load`);
          t.dispose();
          f.dispose();
        }
      }),
  },
  {
    name: "a source that fails fails who needs it, and may work the next time",
    run: (device, memory) =>
      demandNothingLeft(memory, async () => {
        let bytes: Uint8Array | undefined;
        const read = async (): Promise<Uint8Array> => {
          if (!bytes) throw new Error("the file is gone");
          return bytes;
        };
        const t = fromSource({ shape: [2], dtype: "f32", device, read });
        const f = compile((x: Tensor) => add(x, t), { device });
        using x = pair(device);
        device.bufferOf(x);
        const more = memory.sinceNow();
        await demandFailure(() => f(x));
        await demandFailure(() => mul(t, 2).data());
        await demandFailure(() => t.data());
        bytes = new Uint8Array(4);
        await demandFailure(() => f(x), "source");
        demand(more() === 0, "what failed has left memory behind");
        await demandFailure(async () => device.bufferOf(t), "not-loaded");
        bytes = new Uint8Array(Float32Array.of(5, 6).buffer);
        using y = await f(x);
        await demandValues(y, 6, 8);
        t.dispose();
        f.dispose();
      }),
  },
  {
    name: "a large constant comes in pieces where its source gives rows alone",
    run: (device, memory) =>
      demandNothingLeft(memory, async () => {
        const columns = 1 << 22;
        const asked: string[] = [];
        let missing = 0;
        const readRows = (start: number, stop: number): Uint8Array => {
          asked.push(`${start}–${stop}`);
          const bytes = new Uint8Array((stop - start) * columns);
          for (let row = start; row < stop; row++) bytes.fill(row, (row - start) * columns);
          return bytes.subarray(missing);
        };
        const read = (): never => {
          throw new Error("it was read whole");
        };
        const t = fromSource({ shape: [5, columns], dtype: "u8", device, read, readRows });
        const last = (): Tensor => mul(cast(slice(t, [undefined, [columns - 1, columns]]), "f32"), 2);
        using y = last();
        await demandValues(y, 0, 2, 4, 6, 8);
        demand(asked.join() === "0–2,2–4,4–5", `rows ${asked.join()} were read`);
        t.dispose();
        missing = 1;
        await demandFailure(() => last().data(), "source");
      }),
  },
];
