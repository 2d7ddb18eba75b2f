import { secondsPerRun, tune, type TuneOptions, type WebGpuBackend } from "@weft/kernels-webgpu";
import { createNodeWebGpuBackend, tuningFile, writeTuning } from "@weft/kernels-webgpu/node";
import { CapabilityError, Device, DeviceError, linear, planGraph, type WeftErrorKind } from "@weft/tensor-core";
import { type Command, EXIT } from "../context.js";
import { type Output, table } from "../output.js";

interface Options {
  readonly tune?: boolean;
}

/** A product of a measured size; vectors are bound by reading the weight. */
interface Speed {
  readonly product: string;
  readonly gflops: number;
  readonly gigabytesPerSecond: number;
}

/**
 * `weft bench`: how fast products are on this machine's GPU; with `--tune` the best tiles for it are found first, and kept in the user's
 * cache folder, where every program that uses weft finds them.
 */
export const bench: Command<Options, []> = async (_args, options, { out }) => {
  const before = await open(out);
  const { vendor, architecture, description, isFallbackAdapter } = before.device.adapterInfo;
  const software = isFallbackAdapter || architecture === "swiftshader";
  const name = description || `${vendor} ${architecture}`;
  if (software) out.warn(`${name} computes on the CPU: its numbers say nothing about a GPU`);
  let file: string | undefined;
  try {
    if (options.tune) file = await tuneFor(before, software, out);
  } finally {
    before.dispose();
  }
  // Opened anew, so that what is measured is what other programs will have.
  const backend = await open(out);
  try {
    const sizes = software ? [[32, 32, 32] as const, [1, 64, 64] as const] : [[2048, 2048, 2048] as const, [1, 4096, 4096] as const];
    const speeds: Speed[] = [];
    for (const size of sizes) speeds.push(await measure(backend, size));
    const tuned = backend.limits.tuning !== undefined;
    out.result({ device: name, software, tuned, ...(file !== undefined && { file }), speeds }, () =>
      [
        `${name}, ${tuned ? "tuned" : "not tuned (weft bench --tune)"}`,
        table(
          speeds.map((s) => [s.product, `${s.gflops.toFixed(1)} GFLOP/s`, `${s.gigabytesPerSecond.toFixed(1)} GB/s`]),
          [1, 2],
        ),
        ...(file === undefined ? [] : [`written to ${file}`]),
      ].join("\n"),
    );
  } finally {
    backend.dispose();
  }
  return EXIT.done;
};

/** @throws DeviceError if the package `webgpu` or a GPU is missing */
async function open(out: Output): Promise<WebGpuBackend> {
  try {
    return await createNodeWebGpuBackend({ powerPreference: "high-performance", warn: (text) => out.warn(text) });
  } catch (error) {
    if (!(error instanceof CapabilityError)) throw error;
    const { message, kind, hint } = error;
    throw new DeviceError(message, { kind: kind as WeftErrorKind<"device">, ...(hint !== undefined && { hint }), cause: error });
  }
}

/** A software driver compiles for longer than it computes: one small product and two tiles show that tuning works. */
const SOFTWARE: TuneOptions = {
  tiles: [
    { threads: 8, blocks: 1, depth: 8 },
    { threads: 8, blocks: 1, depth: 16 },
  ],
  products: [[32, 16, 32]],
  width: 64,
};

async function tuneFor({ device }: WebGpuBackend, software: boolean, out: Output): Promise<string> {
  const tuning = await tune(device, { note: (text) => out.note(text), ...(software && SOFTWARE) });
  const path = tuningFile();
  writeTuning(path, device.adapterInfo, tuning);
  return path;
}

async function measure(backend: WebGpuBackend, [m, k, n]: readonly [number, number, number]): Promise<Speed> {
  const device = new Device(backend);
  const numbers = (count: number): Float32Array => Float32Array.from({ length: count }, (_, i) => ((i * 7919) % 1999) / 1999 - 0.5);
  const product = linear(device.tensor(numbers(m * k), { shape: [m, k] }), device.tensor(numbers(n * k), { shape: [n, k] }));
  const { plan, leaves } = planGraph([product], [], (call) => backend.claims(call));
  const executable = await backend.lower(plan);
  const outputs = plan.outputs.map(({ buffer }) => backend.allocate(plan.buffers[buffer]!.bytes));
  const inputs = leaves.map((t) => device.bufferOf(t));
  const seconds = await secondsPerRun(backend, executable, inputs, outputs);
  return {
    product: `${m}×${k}·${k}×${n}`,
    gflops: (2 * m * k * n) / seconds / 1e9,
    gigabytesPerSecond: (4 * (m * k + k * n + m * n)) / seconds / 1e9,
  };
}
