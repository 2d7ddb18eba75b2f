import { availableParallelism } from "node:os";
import { createWasmBackend } from "@weft/kernels-wasm";
import { compile, Device, type DType, linear, type Tensor } from "@weft/tensor-core";
import type { BenchContext } from "../../../context.js";
import { type Contestant, takeTurns } from "../../../turns.js";
import type { Engine } from "../../matmul/engine.js";
import { onnxruntimeEngine } from "../../matmul/onnxruntime.js";
import { numbers } from "../../matmul/product.js";
import { tfjsEngine } from "../../matmul/tfjs.js";
import { compare, type Linear, linearOf, record, turns } from "../linear-products.js";
import type { CoreCase } from "./case.js";

/** What the project wants: against other engines, of two threads, of weights of 16 bits in times of f32, of a row in times of that of four rows, GFLOP/s of 64 rows. */
const GOALS = { peers: 1, threads: 1.7, halfWidth: 0.6, row: 1.2, manyRows: 35 };
export const linearCase: CoreCase = {
  name: "linear",
  async run(context) {
    const size = context.quick ? 128 : 2048;
    const devices = [new Device(await createWasmBackend({ threads: 1 }))];
    if (availableParallelism() > 1) devices.push(new Device(await createWasmBackend({ threads: 2 })));
    const one = devices[0]!;
    await againstOthers(devices, size, context);
    await compare(
      context,
      await Promise.all(
        (
          [
            ["f32", "f32"],
            ["f32", "bf16"],
            ["bf16", "bf16"],
            ["f32", "f16"],
          ] as const
        ).map((dtypes) => prepare(one, size, 1, ...dtypes)),
      ),
      (ratio) => ({ goal: `time ≤ ${GOALS.halfWidth} ×`, met: 1 / ratio <= GOALS.halfWidth }),
    );
    const rows = [4, 5, 8, 12, 16];
    await compare(
      context,
      await Promise.all(rows.map((m) => prepare(one, size, m))),
      (ratio) => ({ goal: `time of a row ≤ ${GOALS.row} ×`, met: 1 / ratio <= GOALS.row }),
      ({ m }) => m,
    );
    const many = await prepare(one, size, 64);
    const timing = (await turns(context, [many])).get(many.name)!;
    const speed = (2 * 64 * size * size) / timing.best / 1e9;
    context.emit({
      ...record(many, timing),
      metric: "speed",
      value: speed,
      unit: "GFLOP/s",
      goal: `≥ ${GOALS.manyRows}`,
      met: speed >= GOALS.manyRows,
    });
    many.release();
    for (const device of devices) device.dispose();
  },
};

/** One row: the fastest other engine, and two threads. */
async function againstOthers(devices: readonly Device[], size: number, context: BenchContext): Promise<void> {
  const own = await Promise.all(devices.map((device) => prepare(device, size, 1)));
  const peers = await context.peers();
  const others: Contestant[] = [];
  for (const start of peers ? [() => onnxruntimeEngine(peers, "node", 1), () => tfjsEngine(peers)] : []) {
    try {
      others.push(await ((await start()) as Engine).prepare(own[0]!.product));
    } catch (error) {
      context.note(`left out: ${(error as Error).message}`);
    }
  }
  const times = await takeTurns([...own, ...others], { rounds: context.rounds, seconds: context.quick ? 0.02 : 0.3 });
  const [single, double] = own.map(({ name }) => times.get(name)!);
  const best = others.map(({ name }) => [name, times.get(name)!.best] as const).sort((a, b) => a[1] - b[1])[0];
  if (best) {
    const ratio = best[1] / single!.best;
    context.emit({ ...record(own[0]!, single!), anchor: best[0], ratio, goal: `ratio ≥ ${GOALS.peers}`, met: ratio >= GOALS.peers });
  }
  if (double) {
    const ratio = single!.best / double.best;
    context.emit({
      ...record(own[1]!, double),
      anchor: own[0]!.name,
      ratio,
      goal: `ratio ≥ ${GOALS.threads}`,
      met: ratio >= GOALS.threads,
    });
  }
  for (const { release } of own) release();
}

/** @throws Error if the result is wrong */
async function prepare(device: Device, size: number, m: number, dtypeX: DType = "f32", dtypeW: DType = "f32"): Promise<Linear> {
  // Multiples of 1/64 below 1 are exact in every float format.
  const exact = (count: number, seed: number): Float32Array => numbers(count, seed).map((v) => Math.round(v * 64) / 64);
  const [a, b] = [exact(m * size, 11), exact(size * size, 23)];
  const threads = device.backend.capabilities.threads ?? 1;
  const name = `linear ${m}×${size}, ${size}×${size}, x ${dtypeX}, W ${dtypeW}, ${threads} ${threads === 1 ? "thread" : "threads"}`;
  const weight = Float32Array.from(b, (_, i) => b[(i % size) * size + Math.floor(i / size)]!);
  const shape = [size, size] as const;
  const inputs = [
    device.tensor(a, { shape: [m, size], dtype: dtypeX }),
    { dense: device.tensor(weight, { shape, dtype: dtypeW }) },
  ] as const;
  const compiled = compile((x: Tensor, w: { readonly dense: Tensor }) => linear(x, w.dense), { device });
  return linearOf(device, { m, k: size, n: size, a, b, name }, compiled, inputs, dtypeX === "f32" ? undefined : 2 ** -8);
}
