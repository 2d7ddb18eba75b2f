import { join } from "node:path";
import { formatBytes } from "@weft/checkpoint/format";
import type { EncodeJobOptions, EncodeResult, QuantizedLayer } from "@weft/checkpoint/node";
import type { Context } from "../context.js";
import { table } from "../output.js";
import { peakMemory } from "../peak-memory.js";
import { formatSeconds, showProgress } from "../progress.js";

/** Options of commands that store a checkpoint in another way. */
export interface EncodeCommandOptions {
  readonly out: string;
  readonly maxMemory?: number;
  readonly maxShardSize?: number;
}

/** Error and size of layers, the worst first. */
const layerTable = (layers: readonly QuantizedLayer[]): string =>
  table(
    [
      ["layer", "format", "size", "error"],
      ...layers
        .toSorted((a, b) => b.error - a.error)
        .map(({ name, format, bytes, error }) => [name, format, formatBytes(bytes), `${(100 * error).toPrecision(3)} %`]),
    ],
    [2, 3],
  );

/** Runs such a job, and tells what it will do, how far it is, and what it wrote. */
export async function runEncodeCommand(
  verb: "quantize" | "convert",
  base: string,
  { out, maxMemory, maxShardSize }: EncodeCommandOptions,
  context: Context,
  run: (options: EncodeJobOptions) => Promise<EncodeResult>,
): Promise<EncodeResult> {
  const started = performance.now();
  const { force, dryRun, jobs } = context.options;
  const { onProgress, end } = showProgress(context.out);
  const result = await run({
    base,
    out,
    maxShardSize,
    force,
    dryRun,
    jobs,
    maxMemory,
    signal: context.signal,
    onProgress,
    onPlan({ notices, bytes, shards }, threads) {
      for (const notice of notices) context.out.warn(notice);
      const files = `${shards.length} ${shards.length === 1 ? "file" : "files"}`;
      context.out.note(`${verb} ${base}: ${files}, ${formatBytes(bytes)}, ${threads} ${threads === 1 ? "thread" : "threads"}`);
    },
  }).finally(end);
  const { files, quantized, tensors, bytes, baseBytes, resumed } = result;
  const size = `${formatBytes(bytes)} of ${formatBytes(baseBytes)}`;
  if (dryRun) {
    context.out.result({ dryRun: true, ...result }, () =>
      [
        ...files.map((file) => `would write ${join(result.out, file.name)}  ${formatBytes(file.bytes)}`),
        `${quantized} of ${tensors} tensors quantised, ${size}`,
      ].join("\n"),
    );
    return result;
  }
  const seconds = (performance.now() - started) / 1000;
  const peak = peakMemory();
  const pieces = out.endsWith(".gguf") ? `${tensors} tensors` : `${files.length} files`;
  context.out.result({ ...result, seconds: Number(seconds.toFixed(3)), peakRss: peak }, () =>
    [
      ...files.map((file) => `✓ ${join(result.out, file.name)}  ${formatBytes(file.bytes)}`),
      `${verb === "quantize" ? `${quantized} of ${tensors} tensors quantised` : `${tensors} tensors`}, ${size}, in ${formatSeconds(seconds)}, peak memory ${formatBytes(peak)}${resumed > 0 ? `; ${resumed} of ${pieces} were done already` : ""}`,
      ...(result.layers ? [layerTable(result.layers)] : []),
    ].join("\n"),
  );
  return result;
}
