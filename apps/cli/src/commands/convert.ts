import { statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname } from "node:path";
import { Device } from "@weft/tensor-core";
import type { WeightSource } from "@weft/io-safetensors";
import { createWasmBackend } from "@weft/kernels-wasm";
import { enableRelaxedSimd } from "@weft/kernels-wasm/node";
import type { OpenedAdapter } from "@weft/adapter-files";
import type { DialectName } from "@weft/adapter-files/dialects";
import { type Conversion, convertAdapter, type ConvertedFile, type TargetName, type Verification, verifyConversion } from "@weft/convert";
import { openAdapterFolder } from "@weft/adapter-files/node";
import { type Command, type Context, EXIT } from "../context.js";
import {
  bytesOf,
  convertCheckpoint,
  checkOutput,
  classNameOf,
  openAdapterAt,
  openCheckpoint,
  type Place,
  placesOf,
  quantizeToGguf,
  refuseOverwriting,
  writePlaces,
} from "@weft/checkpoint/node";
import { formatBytes } from "@weft/checkpoint/format";
import { UsageError } from "../failure.js";
import { printable } from "../output.js";
import { type EncodeCommandOptions, runEncodeCommand } from "./encode-output.js";
import { formatSeconds, Progress, showProgress } from "../progress.js";

export interface ConvertCommandOptions extends EncodeCommandOptions {
  readonly to?: TargetName | "gguf";
  /** Of a checkpoint. */
  readonly dtype?: "f32" | "f16" | "bf16";
  readonly from?: DialectName;
  readonly alpha?: number;
  readonly adapterName?: string;
  readonly base?: string;
  readonly allowLoss?: boolean;
  readonly foldAlpha?: boolean;
  readonly verify?: boolean;
}

/** Losses and notes shown to people; --json has all. */
const SHOWN = 5;

/** Options of adapters. */
const ADAPTERS = ["from", "alpha", "adapterName", "base", "allowLoss", "foldAlpha"] as const;

/** `weft convert IN --to DIALECT -o OUT` for adapters, `--dtype DTYPE` or `-o OUT.gguf` for checkpoints. */
export const convert: Command<ConvertCommandOptions> = async ([path], options, context) => {
  const { to, dtype, out } = options;
  const asGguf = to === undefined && out.endsWith(".gguf");
  if (!asGguf && (to === undefined) === (dtype === undefined))
    throw new UsageError(
      "what is to be written?",
      "--to names the dialect of an adapter, --dtype how the floats of a checkpoint are stored; -o MODEL.gguf writes a checkpoint for llama.cpp",
    );
  if (to !== undefined && (to === "gguf" || path.endsWith(".gguf"))) {
    const { convertFromGguf, convertToGguf } = await import("./convert-gguf-adapter.js");
    await (to === "gguf" ? convertToGguf(path, options, context) : convertFromGguf(path, to, options, context));
    return EXIT.done;
  }
  if (to !== undefined) return convertAdapterFile(path, { ...options, to }, context);
  const stray = ADAPTERS.find((name) => options[name] !== undefined);
  if (stray)
    throw new UsageError(
      `--${stray.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)} is for adapters, --dtype for checkpoints`,
      "leave one of them out",
    );
  if (asGguf && options.maxShardSize !== undefined) throw new UsageError("--max-shard-size is not for GGUF files", "leave it out");
  await runEncodeCommand("convert", path, options, context, (job) =>
    asGguf ? quantizeToGguf({ ...job, to: dtype }) : convertCheckpoint({ ...job, dtype }),
  );
  return EXIT.done;
};

/** The same change of the same model under another dialect's names. */
async function convertAdapterFile(
  path: string,
  options: ConvertCommandOptions & { readonly to: TargetName },
  context: Context,
): Promise<number> {
  const started = performance.now();
  checkOutput(options.out, [path, options.base], context.options.force);
  const opened: WeightSource[] = [];
  try {
    const adapter = await openAdapterAt(path, (await context.methods()).table, options);
    opened.push(adapter.weights);
    const base = options.base === undefined ? undefined : await openCheckpoint(options.base);
    if (base) opened.push(base);
    const { to, allowLoss = false, foldAlpha = false } = options;
    const conversion = await convertAdapter(adapter, { to, allowLoss, foldAlpha, ...(base && { base, className: classNameOf(base) }) });
    describe(adapter, conversion, context);
    const places = placesOf(conversion.files, options.out);
    const summary = {
      from: adapter.dialect,
      to,
      detected: adapter.detection?.reason ?? null,
      modules: adapter.modules.size,
      losses: conversion.losses.map(({ message }) => message),
      notes: conversion.notes,
      unmatched: adapter.unknown.map(({ name }) => name),
    };
    if (context.options.dryRun) {
      const files = places.map(({ file, path: name }) => ({ name, tensors: file.tensors.size }));
      context.out.result({ dryRun: true, ...summary, files }, () =>
        files.map(({ name, tensors }) => `would write ${name}  ${tensors} tensors`).join("\n"),
      );
      return EXIT.done;
    }
    const inputs = opened.flatMap((source) => [...new Set([...source.names()].map((name) => source.info(name).file))]);
    refuseOverwriting(places, inputs, context.options.force);
    const { onProgress, end } = showProgress(context.out);
    const verified = await writePlaces(places, options.out, { signal: context.signal, onProgress }, async (written) => {
      end();
      if (options.verify === false) return undefined;
      const verification = await verify(adapter, written, context);
      requireProof(verification, conversion);
      return verification;
    }).finally(end);
    const files = places.map(({ path: name }) => ({ name, bytes: statSync(name).size }));
    const seconds = (performance.now() - started) / 1000;
    context.out.result({ ...summary, files, verified: verified ?? null, seconds: Number(seconds.toFixed(3)) }, () =>
      [
        ...files.map(({ name, bytes }) => `✓ ${name}  ${formatBytes(bytes)}`),
        verified ? proofText(verified) : "not verified (--no-verify)",
        `${summary.modules} modules, ${adapter.dialect} → ${options.to}, in ${formatSeconds(seconds)}`,
      ].join("\n"),
    );
    return EXIT.done;
  } finally {
    await Promise.all(opened.map((source) => source.close()));
  }
}

function describe({ dialect, detection, method, warnings }: OpenedAdapter, { losses, notes }: Conversion, { out }: Context): void {
  out.note(`${dialect} (${method})${detection ? `: ${detection.reason}` : ""}`);
  for (const warning of warnings) out.warn(warning);
  for (const note of notes) out.warn(note);
  for (const { message } of losses.slice(0, SHOWN)) out.warn(`lost: ${printable(message, 500)}`);
  if (losses.length > SHOWN) out.warn(`lost: ${losses.length - SHOWN} more`);
}

/** Opens what was written and compares every module's change with the one that it was made of. */
async function verify(source: OpenedAdapter, places: readonly Place[], { options, out, signal, methods }: Context): Promise<Verification> {
  enableRelaxedSimd();
  const device = new Device(await createWasmBackend({ threads: options.jobs ?? Math.min(8, availableParallelism()) }), {
    checkIndices: true,
  });
  const written: { file: ConvertedFile; adapter: OpenedAdapter }[] = [];
  const modules = places.reduce((sum, { file }) => sum + file.modules.size, 0);
  const bytes = places.reduce((sum, { file }) => sum + bytesOf(file), 0);
  const progress = new Progress(out, "verify", bytes);
  try {
    for (const { file, path } of places)
      written.push({
        file,
        adapter: await openAdapterFolder(file.config === undefined ? path : dirname(path), { methods: (await methods()).table }),
      });
    return await verifyConversion(source, written, {
      device,
      signal,
      onProgress: (done) => progress.update(Math.floor((bytes * Math.min(done, modules)) / modules)),
    });
  } finally {
    progress.end();
    await Promise.all(written.map(({ adapter }) => adapter.weights.close()));
    device.dispose();
  }
}

/** Arithmetic in f32; without any, changes are equal bit for bit. What was rounded to bf16, twice, and said so, may be so far off. */
const TOLERANCE = { exact: 1e-5, rounded: 2 ** -6 };

function requireProof({ error, at }: Verification, { losses }: Conversion): void {
  if (error <= TOLERANCE[losses.some(({ keeps }) => keeps) ? "rounded" : "exact"]) return;
  throw new Error(
    `${at}: the converted module changes the weight otherwise than the original (relative difference ${error.toExponential(1)})`,
  );
}

function proofText({ modules, exact, error, at }: Verification): string {
  if (exact === modules) return `verified: ΔW of all ${modules} modules is the same, bit for bit`;
  return `verified: ΔW of ${modules} modules, ${exact} of them bit for bit; largest relative difference ${error.toExponential(1)} (${printable(at ?? "")})`;
}
