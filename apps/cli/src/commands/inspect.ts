import { existsSync } from "node:fs";
import type { LocatedTensor } from "@weft/io-safetensors";
import { nearestNames } from "@weft/tensor-core/names";
import { afterOtherTasks, CancelledError, MatchError, type MethodTable } from "@weft/tensor-core";
import { type Command, EXIT } from "../context.js";
import type { ByteReader } from "@weft/checkpoint";
import { FileSet, type Input, localPath, openInput, openValues, quantizationOf, valuesOfCheckpoint } from "@weft/checkpoint/node";
import { type AdapterSummary, describeAdapter } from "../inspect/describe-adapter.js";
import type { DeltaNorm } from "../inspect/delta-norm.js";
import { globMatcher, groupNames } from "../inspect/group-names.js";
import { tensorDetails, type ValueStats } from "../inspect/tensor-details.js";
import type { AdapterModule } from "@weft/adapter-files";
import { formatBytes } from "@weft/checkpoint/format";
import { formatCount, printable, table, type Warning } from "../output.js";

export interface InspectOptions {
  readonly hash?: boolean;
  readonly stats?: boolean;
  readonly tensors?: string;
  readonly adapterName?: string;
  readonly parts?: boolean;
}

interface TensorLine {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly (number | bigint)[];
  readonly sha256?: string;
  readonly stats?: ValueStats;
}

interface Inspection {
  readonly path: string;
  readonly kind: "adapter" | "checkpoint";
  readonly parameters: number;
  readonly bytes: number;
  readonly files: readonly string[];
  readonly metadata: { readonly [key: string]: string };
  readonly warnings: readonly Warning[];
  readonly adapter?: AdapterSummary;
  /** Of a checkpoint: format → number of weights that are quantised in it. */
  readonly quantized?: { readonly [format: string]: number };
  readonly deltas?: readonly DeltaNorm[];
  readonly tensors: readonly TensorLine[];
}

/** `weft inspect`: what a file or folder holds. With `--json` exactly one object. */
export const inspect: Command<InspectOptions> = async ([path], options, { out, signal, methods }) => {
  const { input, formats, reader, bytesOf, files, close } = await openWith(path, options, async () => (await methods()).table);
  try {
    const wanted = options.tensors === undefined ? () => true : globMatcher(options.tensors);
    const located = [...input.weights.names()].filter(wanted).map((name) => input.weights.info(name));
    if (located.length === 0 && options.tensors !== undefined) throw nothingMatches(options.tensors, [...input.weights.names()], path);
    const tensors = await describeTensors(located, formats, reader, options, signal);
    const result: Inspection = {
      path,
      kind: input.adapter ? "adapter" : "checkpoint",
      parameters: located.reduce((sum, { shape }) => sum + shape.reduce((n, d) => n * d, 1), 0),
      bytes: bytesOf(located),
      files: files(located),
      // A Map keeps keys such as __proto__; a plain object must define them.
      metadata: Object.fromEntries(input.weights.metadata),
      warnings: input.warnings,
      ...(input.adapter ? { adapter: describeAdapter(input.adapter) } : quantizedOf(input, formats)),
      ...(input.adapter && options.stats && { deltas: await deltasOf(input) }),
      tensors,
    };
    if (!out.json) for (const warning of result.warnings) out.warn(printable(warning.message, 500));
    out.result(result, () => text(result, options));
    return EXIT.done;
  } finally {
    await close();
  }
};

/** What is looked at, and what reads it. */
interface Looked {
  readonly input: Input;
  readonly formats: ReadonlyMap<string, string>;
  readonly reader: ByteReader;
  /** Bytes of tensors as they are stored, and the files that they lie in. */
  bytesOf(tensors: readonly LocatedTensor[]): number;
  files(tensors: readonly LocatedTensor[]): string[];
  close(): Promise<void>;
}

/** Opens a path; of a checkpoint each quantised weight is one tensor of values, unless its parts are asked for. */
async function openWith(
  path: string,
  { hash, stats, parts, adapterName }: InspectOptions,
  methods: () => Promise<MethodTable>,
): Promise<Looked> {
  if (path.endsWith(".gguf")) {
    const values = await openValues(path);
    return { ...values, input: { path, weights: values.weights, warnings: [] } };
  }
  const input = await openInput(hash || stats ? localPath(path) : path, methods, { adapterName });
  if (!input.adapter && !parts && existsSync(input.weights.location)) {
    const values = await valuesOfCheckpoint(input.weights);
    return { ...values, input: { ...input, weights: values.weights } };
  }
  const files = new FileSet();
  return {
    input,
    formats: new Map(),
    reader: files,
    bytesOf: (tensors) => tensors.reduce((sum, { bytes }) => sum + bytes, 0),
    files: (tensors) => [...new Set(tensors.map(({ file }) => file))],
    close: async () => void (await Promise.all([files.close(), input.weights.close()])),
  };
}

function nothingMatches(glob: string, names: readonly string[], path: string): MatchError {
  const near = nearestNames(glob.replaceAll("*", ""), new Set(names.flatMap((name) => [name, ...name.split(".")])))[0];
  return new MatchError(`${path}: no tensor's name is like ${glob}`, {
    kind: "no-match",
    file: path,
    hint: `${near === undefined ? "" : `did you mean "*${near}*"? `}names are like ${names[0]}`,
  });
}

function quantizedOf({ weights }: Input, packed: ReadonlyMap<string, string>): Pick<Inspection, "quantized"> {
  const counts = new Map(quantizationOf(weights).formats);
  for (const format of packed.values()) counts.set(format, (counts.get(format) ?? 0) + 1);
  return counts.size === 0 ? {} : { quantized: Object.fromEntries(counts) };
}

async function describeTensors(
  located: readonly LocatedTensor[],
  formats: ReadonlyMap<string, string>,
  reader: ByteReader,
  { hash = false, stats = false }: InspectOptions,
  signal: AbortSignal,
): Promise<TensorLine[]> {
  const lines: TensorLine[] = [];
  for (const tensor of located) {
    const { name, exactShape: shape = tensor.shape } = tensor;
    // Lets a signal's handler run between tensors.
    if (hash || stats) await afterOtherTasks();
    if (signal.aborted) throw new CancelledError();
    const details = hash || stats ? await tensorDetails(reader, tensor, { hash, stats }, signal) : {};
    lines.push({ name, dtype: formats.get(name) ?? tensor.dtype, shape, ...details });
  }
  return lines;
}

interface Scaling {
  readonly loraAlpha: number;
  readonly alpha: number | null;
  readonly useRslora: boolean;
}

async function deltasOf({ adapter }: Input): Promise<DeltaNorm[]> {
  if (!adapter || adapter.alphaAssumed || !["LORA", "LOCON"].includes(adapter.method)) return [];
  const [{ deltaNorm }, { createModuleConfig }] = await Promise.all([import("../inspect/delta-norm.js"), import("@weft/adapter-files")]);
  const configOf = createModuleConfig<Partial<Scaling>>(adapter.config);
  const scaleOf = ({ path, config }: AdapterModule, rank: number): number => {
    const { loraAlpha, alpha, useRslora }: Partial<Scaling> = { ...configOf(path), ...config };
    return (loraAlpha ?? alpha ?? rank) / (useRslora ? Math.sqrt(rank) : rank);
  };
  const result: DeltaNorm[] = [];
  for (const module of adapter.modules.values()) {
    const delta = await deltaNorm(adapter, module, scaleOf);
    if (delta) result.push(delta);
  }
  return result;
}

function text(result: Inspection, options: InspectOptions): string {
  const { adapter, tensors, files } = result;
  const lines: string[] = [];
  if (adapter) lines.push(...adapterText(adapter));
  const counts = new Map<string, number>();
  for (const { dtype } of tensors) counts.set(dtype, (counts.get(dtype) ?? 0) + 1);
  const dtypes = [...counts].map(([dtype, count]) => `${dtype} ${count}`).join(", ");
  lines.push(
    `${adapter ? "adapter" : "checkpoint"}: ${tensors.length} tensors (${dtypes || "none"}), ${formatCount(result.parameters)} parameters, ${formatBytes(result.bytes)}${files.length > 1 ? ` in ${files.length} files` : ""}`,
  );
  if (result.quantized) lines.push(`quantised: ${countsText(result.quantized)}`);
  for (const [key, value] of Object.entries(result.metadata).slice(0, 20)) lines.push(`  ${printable(key)}: ${printable(value)}`);
  lines.push("", tensorTable(tensors, options));
  if (result.deltas && result.deltas.length > 0) {
    const rows = result.deltas.map((d) => [
      printable(d.path),
      String(d.rank),
      number(d.scale),
      d.norm === null ? "-" : number(d.norm),
      String(d.nonFinite),
    ]);
    lines.push("", table([["module", "r", "scale", "‖ΔW‖", "not finite"], ...rows], [1, 2, 3, 4]));
  }
  return lines.join("\n");
}

function adapterText(a: AdapterSummary): string[] {
  const targets = a.targets
    .map(({ name, count, layers }) => `${printable(name)} ×${count}${layers && count > 1 ? ` (layers ${layers})` : ""}`)
    .join(", ");
  const rows: [string, string | undefined][] = [
    ["method", [`${methodText(a)} (${a.dialect} keys)`, ...a.options].join(" · ")],
    ["dialect", a.detected === null ? undefined : `${a.dialect}: ${printable(a.detected, 300)}`],
    [
      "rank",
      a.rank === null
        ? undefined
        : `${a.rank}${a.alpha === null ? "" : `, alpha ${a.alpha}`}${a.scale === null ? "" : `, scale ${number(a.scale)}`}`,
    ],
    ["base", a.base === null ? undefined : printable(a.base)],
    ["PEFT", a.peftVersion === null ? undefined : printable(a.peftVersion)],
    ["modules", `${a.modules}: ${targets}`],
    ["replaces", a.modulesToSave.length > 0 ? a.modulesToSave.map((n) => printable(n)).join(", ") : undefined],
    ["tokens", a.trainableTokens.length > 0 ? a.trainableTokens.map((n) => printable(n)).join(", ") : undefined],
    ["parts", Object.keys(a.components).length > 0 ? countsText(a.components) : undefined],
    ["unmatched", a.unmatched.length > 0 ? unmatchedText(a.unmatched) : undefined],
    ["biases", a.biases > 0 ? String(a.biases) : undefined],
    ["merge", a.unmergeable === null ? undefined : `refused: ${printable(a.unmergeable, 300)}`],
  ];
  const told = rows.flatMap(([label, value]) => (value === undefined ? [] : [[label, value] as const]));
  const width = Math.max(9, ...told.map(([label]) => label.length + 1));
  return told.map(([label, value]) => label.padEnd(width) + value);
}

const countsText = (counts: { readonly [name: string]: number }): string =>
  Object.entries(counts)
    .map(([name, count]) => `${name} ×${count}`)
    .join(", ");

const methodText = (a: AdapterSummary): string => (Object.keys(a.methods).length > 0 ? countsText(a.methods) : a.method);

/** Unmatched names shown to people; --json has all. */
const UNMATCHED_SHOWN = 20;

function unmatchedText(names: readonly string[]): string {
  const shown = names.slice(0, UNMATCHED_SHOWN).map((name) => printable(name));
  return [...shown, ...(names.length > UNMATCHED_SHOWN ? [`and ${names.length - UNMATCHED_SHOWN} more (--json lists all)`] : [])].join(
    ", ",
  );
}

const number = (x: number): string => (Number.isInteger(x) ? String(x) : x.toPrecision(6).replace(/\.?0+(e|$)/, "$1"));

function tensorTable(tensors: readonly TensorLine[], { hash, stats, tensors: glob }: InspectOptions): string {
  const single = hash || stats || glob !== undefined;
  const groups = single ? tensors.map((t) => ({ label: t.name, items: [t] })) : groupNames(tensors);
  const rows = groups.map(({ label, items }) => {
    const [first] = items as [TensorLine];
    const row = [printable(label), first.dtype, `[${first.shape.join(", ")}]`];
    if (!single) row.push(items.length > 1 ? `×${items.length}` : "");
    if (stats)
      row.push(
        first.stats
          ? `${first.stats.min === null ? "-" : number(first.stats.min)} … ${first.stats.max === null ? "-" : number(first.stats.max)}`
          : "",
        first.stats ? number(first.stats.norm) : "",
        first.stats ? String(first.stats.nonFinite) : "",
      );
    if (hash) row.push(first.sha256 ?? "");
    return row;
  });
  const head = [
    "tensor",
    "dtype",
    "shape",
    ...(single ? [] : [""]),
    ...(stats ? ["range", "norm", "not finite"] : []),
    ...(hash ? ["sha256"] : []),
  ];
  return table([head, ...rows]);
}
