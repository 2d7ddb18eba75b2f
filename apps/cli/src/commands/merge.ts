import { availableParallelism } from "node:os";
import { describeReport } from "@weft/registry";
import { writeFileAtomic } from "@weft/io-safetensors/node";
import type { DType } from "@weft/tensor-core";
import { type Command, type Context, EXIT } from "../context.js";
import { type MergeOptions, parseAdapterArgument, tileBytesFor } from "../merge/options.js";
import { type Prepared, prepareMerge } from "../merge/prepare.js";
import { runMerge, type WrittenFile } from "../merge/run-merge.js";
import { isCopy } from "../merge/work.js";
import { formatBytes } from "../output.js";
import { formatSeconds, Progress } from "../progress.js";

/** Options of `merge`, `verify` and `unmerge` as commander gives them. */
export interface MergeFlags {
  readonly adapter: readonly string[];
  readonly out: string;
  readonly dtype?: DType;
  readonly maxMemory: number;
  readonly maxShardSize?: number;
  readonly safe?: boolean;
  readonly allowNonfinite?: boolean;
  readonly untie?: boolean;
  readonly report?: string;
}

/** Threads for a merge: cores, but no more than 8, where memory bandwidth is used up. */
export function jobsOf({ options }: Context): number {
  return options.jobs ?? Math.min(8, availableParallelism());
}

export function mergeOptions(base: string, flags: MergeFlags, jobs: number, reverse: boolean): MergeOptions {
  return {
    base,
    adapters: flags.adapter.map(parseAdapterArgument),
    dtype: flags.dtype,
    safe: flags.safe ?? false,
    untie: flags.untie ?? true,
    maxShardSize: flags.maxShardSize,
    allowNonfinite: flags.allowNonfinite ?? false,
    reverse,
    tileBytes: tileBytesFor(flags.maxMemory, jobs),
  };
}

/** Writes a checkpoint with adapters merged in, or (`reverse`) taken out. */
export async function writeMerged(base: string, flags: MergeFlags, context: Context, reverse: boolean): Promise<number> {
  const { out } = context;
  const started = performance.now();
  const jobs = jobsOf(context);
  const options = mergeOptions(base, flags, jobs, reverse);
  const prepared = await prepareMerge(options);
  try {
    for (const warning of prepared.warnings) out.warn(warning);
    prepared.reports.forEach((report, i) => out.note(`${flags.adapter[i]}: ${describeReport(report).join("\n  ")}`));
    if (prepared.untied) out.note("the embeddings were tied and only one of them changes: both are written, tie_word_embeddings becomes false (--no-untie changes both)");
    if (reverse) out.note("unmerging rounds in the weights' dtype; in bf16 and f16 the result is near the original base, not equal to it");
    const bytes = prepared.files.reduce((sum, f) => sum + f.size, 0);
    const plan = summary(prepared);
    if (context.options.dryRun) {
      out.result({ dryRun: true, bytes, ...plan, files: prepared.files.map(({ name, size }) => ({ name, bytes: size })), tileBytes: options.tileBytes, jobs }, () => `would write ${prepared.files.length} file(s), ${formatBytes(bytes)}: ${plan.changed} tensors changed, ${plan.copied} copied`);
      return EXIT.done;
    }
    const progress = new Progress(out, reverse ? "unmerge" : "merge", bytes);
    const files = await runMerge(prepared, options, { out: flags.out, jobs, force: context.options.force, signal: context.signal, onProgress: (done, tensor) => progress.update(done, tensor) }).finally(() => progress.end());
    if (flags.report) await writeReport(flags.report, prepared, files, flags.out);
    const seconds = (performance.now() - started) / 1000;
    const peak = process.resourceUsage().maxRSS * 1024;
    out.result({ out: flags.out, bytes, seconds: Number(seconds.toFixed(3)), peakRss: peak, ...plan, files }, () => resultText(files, flags.out, plan, seconds, peak));
    return EXIT.done;
  } finally {
    await prepared.close();
  }
}

function summary({ files }: Prepared): { changed: number; copied: number } {
  const jobs = files.flatMap((f) => f.tensors.map((t) => t.job));
  const copied = jobs.filter(isCopy).length;
  return { changed: jobs.length - copied, copied };
}

function resultText(files: readonly WrittenFile[], out: string, plan: { changed: number; copied: number }, seconds: number, peak: number): string {
  const lines = files.map(({ name, bytes, sha256 }) => `✓ ${out}/${name}  ${formatBytes(bytes)}  sha256 ${sha256}`);
  return [...lines, `${plan.changed} tensors changed, ${plan.copied} copied in ${formatSeconds(seconds)}, peak ${formatBytes(peak)}`].join("\n");
}

/** What was done to each tensor, with the hash of its new bytes and how far it moved. */
async function writeReport(path: string, prepared: Prepared, files: readonly WrittenFile[], out: string): Promise<void> {
  const { describeTensors } = await import("../merge/report.js");
  await writeFileAtomic(path, `${JSON.stringify({ files, tensors: await describeTensors(prepared, out) }, null, 2)}\n`);
}

export const merge: Command<MergeFlags> = ([base], flags, context) => writeMerged(base!, flags, context, false);
