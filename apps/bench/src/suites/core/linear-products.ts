import { type CompiledFunction, type Device, type Operand, type Parts, type Tensor } from "@weft/tensor-core";
import type { BenchContext } from "../../context.js";
import type { Finding } from "../../record.js";
import type { Timing } from "../../statistics.js";
import { type Contestant, takeTurns, timeCalls } from "../../turns.js";
import { type Product, productError } from "../matmul/product.js";

/** f32 sums of 2048 products stay below 1e-5. */
const TOLERANCE = 1e-4;

/** x·Wᵀ ready to run. */
export interface Linear extends Contestant {
  readonly product: Product;
  release(): void;
}

/** Each against the first one, in time per `unit`. */
export async function compare(
  context: BenchContext,
  all: readonly Linear[],
  judge: (ratio: number) => { readonly goal?: string; readonly met?: boolean },
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

export const turns = (context: BenchContext, all: readonly Contestant[]): ReturnType<typeof takeTurns> =>
  takeTurns(all, { rounds: context.rounds, seconds: context.quick ? 0.02 : 0.3 });

export const record = ({ name }: Linear, { best, spread, rounds }: Timing): Finding => ({
  suite: "core",
  case: name,
  metric: "time",
  value: best * 1e3,
  unit: "ms",
  anchor: null,
  ratio: null,
  spread,
  rounds,
});

/**
 * A compiled product as a contestant.
 * @param inputs x, and what W lies in
 * @throws Error if the result is wrong
 */
export async function linearOf<W extends Parts>(
  device: Device,
  product: Product,
  compiled: CompiledFunction<[Tensor, W], Tensor>,
  inputs: readonly [Tensor, W],
  allowed: number = TOLERANCE,
): Promise<Linear> {
  const { name } = product;
  const error = productError(product, (await (await compiled(...inputs)).data()) as Float32Array);
  if (!(error <= allowed)) throw new Error(`${name}: off by ${error} from the f64 reference`);
  const { executable } = await compiled.prepare(...inputs);
  const { backend } = device;
  const [{ buffer: id }] = executable.plan.outputs as [Operand];
  const output = backend.allocate(executable.plan.buffers[id]!.bytes);
  // The tensors stay referenced: their memory is freed when they are collected.
  const run = (): void | Promise<void> =>
    backend.run(
      executable,
      [inputs[0], ...Object.values(inputs[1])].map((t) => device.bufferOf(t)),
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
