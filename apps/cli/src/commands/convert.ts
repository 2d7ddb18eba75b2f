import { existsSync, mkdirSync, realpathSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { CancelledError, Device } from "@weft/tensor-core";
import { tensorBytes, type WeightSource } from "@weft/io-safetensors";
import { ioError, openWeights, removeStale, writeFileAtomic, writeSafetensorsFile } from "@weft/io-safetensors/node";
import { createWasmBackend } from "@weft/kernels-wasm";
import {
  type Conversion,
  convertAdapter,
  type ConvertedFile,
  type DialectName,
  type OpenedAdapter,
  type TargetName,
  type Verification,
  verifyConversion,
} from "@weft/registry";
import { kohyaHashes, openAdapterFolder } from "@weft/registry/node";
import { type Command, type Context, EXIT } from "../context.js";
import { UsageError } from "../failure.js";
import { openAdapterAt } from "../files/open-input.js";
import { formatBytes, printable } from "../output.js";
import { formatSeconds, Progress } from "../progress.js";

export interface ConvertCommandOptions {
  readonly to: TargetName;
  readonly out: string;
  readonly from?: DialectName;
  readonly base?: string;
  readonly allowLoss?: boolean;
  readonly foldAlpha?: boolean;
  readonly verify?: boolean;
}

/** Losses and notes shown to people; --json has all. */
const SHOWN = 5;

/** `weft convert IN --to DIALECT -o OUT`: the same change of the same model under another dialect's names. */
export const convert: Command<ConvertCommandOptions> = async ([path], options, context) => {
  const started = performance.now();
  const opened: WeightSource[] = [];
  try {
    const adapter = await openAdapterAt(path!, options.from);
    opened.push(adapter.weights);
    const base = options.base === undefined ? undefined : await openWeights(options.base);
    if (base) opened.push(base);
    const { to, allowLoss = false, foldAlpha = false } = options;
    const conversion = await convertAdapter(adapter, { to, allowLoss, foldAlpha, ...(base && { base }) });
    describe(adapter, conversion, context);
    const places = placesOf(conversion, options.out);
    const summary = {
      from: adapter.dialect,
      to: options.to,
      detected: adapter.detection?.reason ?? null,
      modules: adapter.modules.size,
      losses: conversion.losses.map(({ message }) => message),
      notes: conversion.notes,
      unmatched: adapter.unknown.map(({ name }) => name),
    };
    if (context.options.dryRun) {
      const files = places.map(({ file, path: to }) => ({ name: to, tensors: file.tensors.size }));
      context.out.result({ dryRun: true, ...summary, files }, () =>
        files.map(({ name, tensors }) => `would write ${name}  ${tensors} tensors`).join("\n"),
      );
      return EXIT.done;
    }
    const inputs = opened.flatMap((source) => [...new Set([...source.names()].map((name) => source.info(name).file))]);
    refuseOverwriting(places, inputs, context.options.force);
    for (const { file, path: to } of places) await writeFile(file, to, context);
    const verified = options.verify === false ? undefined : await verify(adapter, places, context);
    if (verified) requireProof(verified, conversion, places);
    const files = places.map(({ path: to }) => ({ name: to, bytes: statSync(to).size }));
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
};

function describe({ dialect, detection, method, unknown, warnings }: OpenedAdapter, { losses, notes }: Conversion, { out }: Context): void {
  out.note(`${dialect} (${method})${detection ? `: ${detection.reason}` : ""}`);
  for (const warning of warnings) out.warn(warning);
  for (const note of notes) out.warn(note);
  for (const { message } of losses.slice(0, SHOWN)) out.warn(`lost: ${printable(message, 500)}`);
  if (losses.length > SHOWN) out.warn(`lost: ${losses.length - SHOWN} more`);
  if (unknown.length > 0)
    out.note(
      `unmatched: ${unknown
        .slice(0, SHOWN)
        .map(({ name }) => printable(name))
        .join(", ")}${unknown.length > SHOWN ? " …" : ""}`,
    );
}

interface Place {
  readonly file: ConvertedFile;
  readonly path: string;
}

/** Files with a config go into a folder; one that stands alone may be named by `-o` itself. */
function placesOf({ files }: Conversion, out: string): Place[] {
  const alone = files.length === 1 && files[0]!.config === undefined;
  if (out.endsWith(".safetensors")) {
    if (!alone) throw new UsageError(`-o ${out}: this dialect needs a folder`, "name a folder: its config lies beside the tensors");
    return [{ file: files[0]!, path: out }];
  }
  return files.map((file) => ({ file, path: join(out, file.path) }));
}

const configOf = ({ path }: Place): string => join(dirname(path), "adapter_config.json");

function refuseOverwriting(places: readonly Place[], inputs: readonly string[], force: boolean): void {
  const real = new Set(inputs.filter((file) => existsSync(file)).map((file) => realpathSync(file)));
  for (const place of places)
    for (const path of [place.path, ...(place.file.config === undefined ? [] : [configOf(place)])]) {
      if (!existsSync(path)) continue;
      if (real.has(realpathSync(path))) throw new UsageError(`-o ${path}: this is an input`, "choose another output");
      if (!force) throw new UsageError(`${path} exists already`, "choose another output, or pass --force");
    }
}

const bytesOf = ({ tensors }: ConvertedFile): number =>
  [...tensors].reduce((sum, [name, { dtype, shape }]) => sum + tensorBytes({ name, dtype, shape }), 0);

async function writeFile(file: ConvertedFile, path: string, { out, signal }: Context): Promise<void> {
  const folder = dirname(resolve(path));
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw ioError(error, folder, "write");
  }
  removeStale(folder);
  const entries = [...file.tensors].map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  const read = (name: string): Promise<Uint8Array> => {
    if (signal.aborted) throw new CancelledError();
    return file.tensors.get(name)!.read();
  };
  const metadata = new Map(file.metadata);
  if (file.hashed) for (const [key, hash] of Object.entries(await kohyaHashes(entries, metadata, read))) metadata.set(key, hash as string);
  const progress = new Progress(out, `write ${basename(path)}`, bytesOf(file));
  let done = 0;
  async function* data(name: string): AsyncIterable<Uint8Array> {
    const bytes = await read(name);
    progress.update((done += bytes.byteLength), name);
    yield bytes;
  }
  try {
    await writeSafetensorsFile(
      path,
      entries.map((entry) => ({ ...entry, data: data(entry.name) })),
      { metadata, signal },
    );
    if (file.config !== undefined) await writeFileAtomic(join(folder, "adapter_config.json"), file.config);
  } finally {
    progress.end();
  }
}

/** Opens what was written and compares every module's change with the one that it was made of. */
async function verify(source: OpenedAdapter, places: readonly Place[], { out, signal }: Context): Promise<Verification> {
  const device = new Device(await createWasmBackend({ threads: 1 }));
  const written: { file: ConvertedFile; adapter: OpenedAdapter }[] = [];
  const modules = places.reduce((sum, { file }) => sum + file.modules.size, 0);
  const bytes = places.reduce((sum, { file }) => sum + bytesOf(file), 0);
  const progress = new Progress(out, "verify", bytes);
  try {
    for (const { file, path } of places)
      written.push({ file, adapter: await openAdapterFolder(file.config === undefined ? path : dirname(path)) });
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

/** What changes otherwise than the adapter is worth nothing: it is taken away again. */
function requireProof({ error, at }: Verification, { losses }: Conversion, places: readonly Place[]): void {
  if (error <= TOLERANCE[losses.some(({ keeps }) => keeps) ? "rounded" : "exact"]) return;
  for (const place of places) {
    rmSync(place.path, { force: true });
    if (place.file.config !== undefined) rmSync(configOf(place), { force: true });
  }
  throw new Error(
    `${at}: the converted module changes the weight otherwise than the original (relative difference ${error.toExponential(1)})`,
  );
}

function proofText({ modules, exact, error, at }: Verification): string {
  if (exact === modules) return `verified: ΔW of all ${modules} modules is the same, bit for bit`;
  return `verified: ΔW of ${modules} modules, ${exact} of them bit for bit; largest relative difference ${error.toExponential(1)} (${printable(at ?? "")})`;
}
