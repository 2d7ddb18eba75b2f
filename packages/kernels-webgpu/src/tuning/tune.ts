import { Device, linear, planGraph, softmax, type Tensor } from "@weft/tensor-core";
import { createWebGpuBackend } from "../backend.js";
import { secondsPerRun } from "./measure.js";
import { DEFAULT_TUNING, type TileSize, tileBytes, type Tuning } from "./tuning.js";

/** Which tiles are tried, on which products. */
export interface TuneOptions {
  /** Tiles to choose from; those that the device cannot run are left out. */
  readonly tiles?: readonly TileSize[];
  /** Sizes of the products to tune for, [m, k, n]. */
  readonly products?: readonly (readonly [m: number, k: number, n: number])[];
  /** Length of the vector and of the rows to tune for. */
  readonly width?: number;
  /** Told of each decision. */
  readonly note?: (text: string) => void;
}

const edge = (t: TileSize): number => 4 * t.threads * t.blocks;

const PRODUCTS = [256, 512, 1024, 2048].map((n) => [n, n, n] as const);
const TILES = [4, 8, 16]
  .flatMap((threads) => [1, 2].flatMap((blocks) => [8, 16, 32].map((depth): TileSize => ({ threads, blocks, depth }))))
  .filter((t) => edge(t) >= 32);
const ENOUGH = [1, 24, 48, 96, 192, 384];
const THREADS = [64, 128, 256];

type Build = (device: Device) => Tensor;
const random = (device: Device, shape: readonly number[]): Tensor => {
  const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => ((i * 7919) % 1999) / 1999 - 0.5);
  return device.tensor(values, { shape });
};

/** Seconds that a graph takes under a tuning. */
async function measure(gpu: GPUDevice, tuning: Tuning, build: Build): Promise<number> {
  const backend = await createWebGpuBackend(gpu, { tuning: () => tuning });
  const device = new Device(backend);
  try {
    const { plan, leaves } = planGraph([build(device)], [], (call) => backend.claims(call));
    const executable = await backend.lower(plan);
    const outputs = plan.outputs.map(({ buffer }) => backend.allocate(plan.buffers[buffer]!.bytes));
    return await secondsPerRun(
      backend,
      executable,
      leaves.map((t) => device.bufferOf(t)),
      outputs,
    );
  } finally {
    device.dispose();
  }
}

/**
 * Finds the tuning under which the products and reductions of a model run fastest on a device, by measuring. Takes some seconds on a GPU,
 * mostly for compiling. `write` the result with `writeTuning` of `@weft/kernels-webgpu/node`, or keep it where a page keeps its data.
 */
export async function tune(
  gpu: GPUDevice,
  { tiles = TILES, products = PRODUCTS, width = 4096, note = () => undefined }: TuneOptions = {},
): Promise<Tuning> {
  const { maxComputeInvocationsPerWorkgroup: maxInvocations, maxComputeWorkgroupStorageSize: maxBytes } = gpu.limits;
  const fastest = async (what: string, build: Build, under: (threads: number) => Tuning): Promise<number> => {
    const times = new Map<number, number>();
    for (const threads of THREADS.filter((n) => n <= maxInvocations)) times.set(threads, await measure(gpu, under(threads), build));
    const [best] = [...times].reduce((a, b) => (b[1] < a[1] ? b : a));
    note(`${what}: ${best} threads (${[...times].map(([n, t]) => `${n}: ${(1e6 * t).toFixed(1)} µs`).join(", ")})`);
    return best;
  };
  const times = new Map<TileSize, number[]>();
  for (const tile of tiles.filter((t) => t.threads ** 2 <= maxInvocations && tileBytes(t) <= maxBytes)) {
    const list: number[] = [];
    for (const [m, k, n] of products) {
      const tuning = { ...DEFAULT_TUNING, gemm: { tiles: [tile], enoughGroups: 1 } };
      list.push(await measure(gpu, tuning, (device) => linear(random(device, [m, k]), random(device, [n, k]))));
    }
    times.set(tile, list);
    note(
      `tile ${edge(tile)}² (${tile.threads}² threads, depth ${tile.depth}): ${list.map((t) => `${(1e3 * t).toFixed(3)} ms`).join(", ")}`,
    );
  }
  const gemm = chooseTiles(times, products);
  note(`products: tiles of ${gemm.tiles.map(edge).join(", ")}, from ${gemm.enoughGroups} workgroups on`);
  const vector: Build = (device) => linear(random(device, [1, width]), random(device, [width, width]));
  const rows: Build = (device) => softmax(random(device, [512, width]));
  return {
    gemm,
    gemv: { threads: await fastest("vectors", vector, (threads) => ({ ...DEFAULT_TUNING, gemv: { threads } })) },
    rows: { threads: await fastest("rows", rows, (threads) => ({ ...DEFAULT_TUNING, rows: { threads } })) },
  };
}

/**
 * The list of tiles and the threshold that make the measured products fastest together: of each edge the best tile, of these the best
 * subset, judged by the sum of log times under the rule that the kernel picks by.
 */
export function chooseTiles(
  times: ReadonlyMap<TileSize, readonly number[]>,
  products: readonly (readonly [m: number, k: number, n: number])[],
): Tuning["gemm"] {
  const cost = (list: readonly number[]): number => list.reduce((sum, t) => sum + Math.log(t), 0);
  const edges = [...new Set([...times.keys()].map(edge))].sort((a, b) => b - a);
  const best = edges.map((e) => [...times].filter(([t]) => edge(t) === e).reduce((a, b) => (cost(b[1]) < cost(a[1]) ? b : a)));
  let chosen: { readonly gemm: Tuning["gemm"]; readonly cost: number } | undefined;
  for (let subset = 1; subset < 2 ** best.length; subset++) {
    const kept = best.filter((_, i) => subset & (1 << i));
    for (const enoughGroups of ENOUGH) {
      const picked = products.map(([m, , n], p) => {
        const groups = (t: TileSize): number => Math.ceil(m / edge(t)) * Math.ceil(n / edge(t));
        return (kept.find(([t]) => groups(t) >= enoughGroups) ?? kept.at(-1)!)[1][p]!;
      });
      if (!chosen || cost(picked) < chosen.cost - 1e-9)
        chosen = { gemm: { tiles: kept.map(([t]) => t), enoughGroups }, cost: cost(picked) };
    }
  }
  return chosen!.gemm;
}
