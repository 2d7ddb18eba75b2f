import { availableParallelism } from "node:os";
import { createWasmBackend } from "@weft/kernels-wasm";
import { compile, dequantize, Device, type DType, INT8_ROWS, linear, type Operand, type Parts, type Tensor } from "@weft/tensor-core";
import type { BenchContext } from "../../../context.js";
import type { Timing } from "../../../statistics.js";
import { type Contestant, takeTurns, timeCalls } from "../../../turns.js";
import type { Engine } from "../../matmul/engine.js";
import { onnxruntimeEngine } from "../../matmul/onnxruntime.js";
import { numbers, type Product, productError } from "../../matmul/product.js";
import { tfjsEngine } from "../../matmul/tfjs.js";
import type { CoreCase } from "./case.js";

/** What the project wants: against other engines, of two threads, of weights of 16 bits and of packed ones of 8 in times of f32, of a row in times of that of four rows, GFLOP/s of 64 rows. */
const GOALS = { peers: 1, threads: 1.7, halfWidth: 0.6, packed: 0.35, row: 1.2, manyRows: 35 };
/** f32 sums of 2048 products stay below 1e-5. */
const TOLERANCE = 1e-4;

/** x·Wᵀ ready to run. */
interface Linear extends Contestant {
  readonly product: Product;
  release(): void;
}

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
    await compare(context, [await prepare(one, size, 1), await prepare(one, size, 1, "f32", "int8")], (ratio) => ({
      goal: `time ≤ ${GOALS.packed} ×`,
      met: 1 / ratio <= GOALS.packed,
    }));
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

/** Each against the first one, in time per `unit`. */
async function compare(
  context: BenchContext,
  all: readonly Linear[],
  judge: (ratio: number) => { readonly goal: string; readonly met: boolean },
  unit: (p: Product) => number = () => 1,
): Promise<void> {
  const times = await turns(context, all);
  const [first, base] = [all[0]!, times.get(all[0]!.name)!.best / unit(all[0]!.product)];
  for (const subject of all) {
    const timing = times.get(subject.name)!;
    if (subject === first) context.emit(record(subject, timing));
    else {
      const ratio = base / (timing.best / unit(subject.product));
      context.emit({ ...record(subject, timing), anchor: first.name, ratio, ...judge(ratio) });
    }
    subject.release();
  }
}

const turns = (context: BenchContext, all: readonly Contestant[]): ReturnType<typeof takeTurns> =>
  takeTurns(all, { rounds: context.rounds, seconds: context.quick ? 0.02 : 0.3 });

const record = ({ name }: Linear, { best, spread, rounds }: Timing) => ({
  suite: "core",
  case: name,
  metric: "time",
  value: best * 1e3,
  unit: "ms",
  anchor: null as string | null,
  ratio: null as number | null,
  spread,
  rounds,
});

/** @throws Error if the result is wrong */
async function prepare(device: Device, size: number, m: number, dtypeX: DType = "f32", dtypeW: DType | "int8" = "f32"): Promise<Linear> {
  // Multiples of 1/64 below 1 are exact in every float format; what is packed has multiples of 1/127.
  const steps = dtypeW === "int8" ? 127 : 64;
  const exact = (count: number, seed: number, per = 64): Float32Array => numbers(count, seed).map((v) => Math.round(v * per) / per);
  const [a, b] = [exact(m * size, 11), exact(size * size, 23, steps)];
  const threads = device.backend.capabilities.threads ?? 1;
  const name = `linear ${m}×${size}, ${size}×${size}, x ${dtypeX}, W ${dtypeW}, ${threads} ${threads === 1 ? "thread" : "threads"}`;
  const product = { m, k: size, n: size, a, b, name };
  const weight = Float32Array.from(b, (_, i) => b[(i % size) * size + Math.floor(i / size)]!);
  const shape = [size, size] as const;
  const stored =
    dtypeW === "int8"
      ? {
          codes: device.tensor(
            weight.map((v) => Math.round(v * steps)),
            { shape, dtype: "i8" },
          ),
          absmax: device.tensor(new Float32Array(size).fill(1)),
        }
      : { dense: device.tensor(weight, { shape, dtype: dtypeW }) };
  const inputs = [device.tensor(a, { shape: [m, size], dtype: dtypeX }), stored] as const;
  const compiled = compile((x: Tensor, w: Parts) => linear(x, w.dense ?? dequantize({ format: INT8_ROWS, shape, parts: w })), { device });
  const error = productError(product, (await (await compiled(...inputs)).data()) as Float32Array);
  const allowed = dtypeX === "f32" ? TOLERANCE : 2 ** -8;
  if (!(error <= allowed)) throw new Error(`${name}: off by ${error} from the f64 reference`);
  const { executable } = await compiled.prepare(...inputs);
  const { backend } = device;
  const [{ buffer: id }] = executable.plan.outputs as [Operand];
  const output = backend.allocate(executable.plan.buffers[id]!.bytes);
  // The tensors stay referenced: their memory is freed when they are collected.
  const run = (): void | Promise<void> =>
    backend.run(
      executable,
      [inputs[0], ...Object.values(stored)].map((t) => device.bufferOf(t)),
      [output],
    );
  return {
    name,
    product,
    turn: (seconds) => timeCalls(run, seconds),
    release() {
      compiled.dispose();
      backend.free(output);
    },
  };
}
