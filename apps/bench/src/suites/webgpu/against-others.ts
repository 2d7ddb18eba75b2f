import type { WebGpuBackend } from "@weft/kernels-webgpu";
import type { BenchContext } from "../../context.js";
import { takeTurns } from "../../turns.js";
import { makeProduct, productError } from "../matmul/product.js";
import type { Anchor, Prepared } from "./anchors/anchor.js";
import { jaxAnchor } from "./anchors/jax.js";
import { onnxruntimeAnchor } from "./anchors/onnxruntime.js";
import { becomePage } from "./anchors/page.js";
import { torchCudaAnchor } from "./anchors/torch.js";
import { weftAnchor } from "./anchors/weft.js";
import type { BenchGpu } from "./open.js";

/** A result further from f64 than this is wrong: TF32 would be off by 1e-3. */
const TOLERANCE = 1e-4;

async function anchors(context: BenchContext, gpu: GPU): Promise<Anchor[]> {
  const [peers, python] = [await context.peers(), await context.python()];
  const starts: (() => Promise<Anchor | undefined>)[] = [];
  if (peers) {
    await becomePage(gpu);
    starts.push(
      () => jaxAnchor(peers),
      () => onnxruntimeAnchor(peers),
    );
    for (const name of ["onnxruntime-web", "@jax-js/jax"] as const) context.version(name, peers.version(name));
  }
  if (python) starts.push(() => torchCudaAnchor(python));
  const found: Anchor[] = [];
  for (const start of starts) {
    try {
      const anchor = await start();
      if (anchor) found.push(anchor);
    } catch (error) {
      context.note(`left out: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return found;
}

/** f32 products on the same GPU in the same run: everybody in turn, by the wall, twenty calls in the queue. */
export async function againstOthers(context: BenchContext, { backend, gpu, name: device, software }: BenchGpu): Promise<void> {
  const others = await anchors(context, gpu);
  const shapes =
    software || context.quick
      ? [[48, 32, 40] as const]
      : ([
          [1024, 1024, 1024],
          [4096, 4096, 4096],
          [1, 4096, 4096],
          [128, 4096, 4096],
        ] as const);
  for (const [m, k, n] of shapes) await compare(context, backend, others, { m, k, n, device, software });
}

interface Work {
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly device: string;
  readonly software: boolean;
}

async function compare(
  context: BenchContext,
  backend: WebGpuBackend,
  others: readonly Anchor[],
  { m, k, n, device, software }: Work,
): Promise<void> {
  const product = makeProduct(m, k, n);
  const ready: Prepared[] = [];
  const errors = new Map<string, number>();
  for (const anchor of [weftAnchor(backend), ...others]) {
    try {
      const prepared = await anchor.prepare(product);
      const error = productError(product, await prepared.result());
      if (!(error <= TOLERANCE)) throw new Error(`off by ${error} from f64`);
      errors.set(anchor.name, error);
      ready.push(prepared);
    } catch (error) {
      if (anchor.name === "weft") throw error;
      context.note(`${anchor.name}, ${product.name}, left out: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const times = await takeTurns(ready, { rounds: context.rounds, seconds: software || context.quick ? 0.02 : 0.3 });
  for (const [name, { best, spread, rounds }] of times) {
    const common = {
      suite: "webgpu",
      case: `${product.name}, ${name}, ${device}`,
      metric: "speed",
      value: (2 * m * k * n) / best / 1e9,
      unit: "GFLOP/s",
      spread,
      rounds,
      error: errors.get(name)!,
    };
    const against = name === "weft" && !software ? [...times.keys()].filter((other) => other !== "weft") : [];
    if (against.length === 0) context.emit({ ...common, anchor: null, ratio: null });
    for (const anchor of against) {
      const ratio = times.get(anchor)!.best / best;
      // Ahead of every engine that runs in a browser.
      context.emit({ ...common, anchor, ratio, ...(anchor.includes("webgpu") && { goal: "ratio ≥ 1", met: ratio >= 1 }) });
    }
  }
  for (const prepared of ready) await prepared.release();
}
