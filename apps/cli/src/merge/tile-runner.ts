import { toCoreDType, parseDType } from "@weft/io-safetensors";
import { PEFT_METHODS, readTensor } from "@weft/registry";
import { type AdapterContext, add, type BackendBuffer, bytesPerElement, cast, concat, type DType, type Executable, FormatError, isFloat, mergeWeight, neg, outputBuffers, type Params, placeholder, planGraph, slice, type Tensor, tileRows, unmergeWeight } from "@weft/tensor-core";
import type { WasmBackend } from "@weft/kernels-wasm";
import type { MergeOptions } from "./options.js";
import type { Change, Prepared, TensorJob } from "./prepare.js";

/** Rows of a tensor that are computed at once: `start … stop-1` of its first axis. */
export interface RowTile {
  readonly start: number;
  readonly stop: number;
}

/** A function of a tensor's rows, lowered. */
interface Lowered {
  readonly executable: Executable;
  readonly inputBytes: number;
  readonly outputBytes: number;
  /** The input that the result is as it stands (a replaced tensor), or -1. */
  readonly alias: number;
}

/** Plans that are kept: enough for the shapes of one model, few enough that their scratch memory does not add up. */
const KEPT_PLANS = 24;

/** Computes tiles of changed tensors on one engine. Plans are kept by shape; parameters and tiles are held for one tensor at a time. */
export class TileRunner {
  private readonly lowered = new Map<string, Lowered>();
  private input: BackendBuffer | undefined;
  private output: BackendBuffer | undefined;
  private current: { readonly name: string; readonly buffers: readonly BackendBuffer[] } | undefined;

  constructor(
    private readonly backend: WasmBackend,
    private readonly prepared: Prepared,
    private readonly options: MergeOptions,
  ) {}

  /**
   * @param read fills memory with the tile of the base tensor
   * @param write takes the bytes of the result
   */
  async run(job: TensorJob, tile: RowTile, read: (target: Uint8Array) => void, write: (bytes: Uint8Array) => void): Promise<void> {
    await this.load(job);
    const { executable, inputBytes, outputBytes, alias } = this.lower(job, tile);
    const input = (this.input = this.sized(this.input, inputBytes));
    const inputs = [input, ...this.current!.buffers];
    const output = alias >= 0 ? inputs[alias]! : (this.output = this.sized(this.output, outputBytes));
    read(this.backend.view(input));
    if (alias < 0) this.backend.run(executable, inputs, [output]);
    const dtype = toCoreDType(job.entry.dtype)!;
    if (!this.options.allowNonfinite && isFloat(dtype) && bytesPerElement(dtype) > 1) {
      const at = this.backend.firstNonFinite(output, dtype as "f32", output.bytes / bytesPerElement(dtype));
      if (at >= 0) {
        const first = at + tile.start * (output.bytes / bytesPerElement(dtype) / Math.max(1, tile.stop - tile.start));
        throw new FormatError(`${job.name}: the merged weight is not finite at element ${first}`, { kind: "non-finite", tensor: job.name, hint: "the base, the adapter or their sum in this dtype holds NaN or infinity; --allow-nonfinite writes it all the same" });
      }
    }
    write(this.backend.view(output));
  }

  private async load(job: TensorJob): Promise<void> {
    if (this.current?.name === job.name) return;
    for (const buffer of this.current?.buffers ?? []) this.backend.free(buffer);
    const buffers: BackendBuffer[] = [];
    for (const change of job.changes) {
      for (const name of tensorsOf(change)) {
        const t = await readTensor(this.prepared.adapters[change.adapter]!.weights, name);
        const buffer = this.backend.allocate(Math.max(1, t.node.bytes!.byteLength));
        this.backend.upload(buffer, t.node.bytes!);
        buffers.push(buffer);
      }
    }
    this.current = { name: job.name, buffers };
  }

  /** A buffer of just this size: the one at hand, or another in its place. */
  private sized(buffer: BackendBuffer | undefined, bytes: number): BackendBuffer {
    if (buffer?.bytes === bytes) return buffer;
    if (buffer) this.backend.free(buffer);
    return this.backend.allocate(bytes);
  }

  private lower(job: TensorJob, tile: RowTile): Lowered {
    const key = `${signature(job, this.options)} ${tile.start}-${tile.stop}`;
    let entry = this.lowered.get(key);
    // Taken out and put back: the map's first plan is the one that was not used for longest.
    if (entry) this.lowered.delete(key);
    else {
      const [oldest] = this.lowered.size >= KEPT_PLANS ? this.lowered : [];
      if (oldest) {
        oldest[1].executable.dispose();
        this.lowered.delete(oldest[0]);
      }
      const { input, output, parameters } = buildTile(job, tile, this.prepared, this.options)!;
      const { plan } = planGraph([output], [input, ...parameters], (call) => this.backend.claims(call));
      const size = (t: Tensor): number => Math.max(1, t.size * bytesPerElement(t.dtype));
      entry = { executable: this.backend.lower(plan), inputBytes: size(input), outputBytes: size(output), alias: outputBuffers(plan).length > 0 ? -1 : plan.inputs.indexOf(plan.outputs[0]!.buffer) };
    }
    this.lowered.set(key, entry);
    return entry;
  }
}

/** Tensors of the adapter's file that a change reads, in a fixed order. */
function tensorsOf(change: Change): string[] {
  return "module" in change ? [...change.module.tensors.values()].map((t) => t.name) : [change.tensor.name];
}

/** Everything that the plan of a tensor depends on besides the rows. */
function signature({ source, changes, entry }: TensorJob, options: MergeOptions): string {
  const parts = changes.map((c) => {
    if (c.kind === "replace") return [c.kind, c.tensor.dtype];
    if (c.kind === "tokens") return [c.kind, c.tensor.dtype, c.indices];
    const { layer, tensors, config } = c.module;
    return [c.kind, c.adapter, layer, [...tensors].map(([n, t]) => [n, t.dtype, t.shape]), config];
  });
  return JSON.stringify([source?.shape, source?.dtype, entry.shape, entry.dtype, options.safe, options.reverse, parts]);
}

/** The graph of some rows of a changed tensor; undefined if they need more rows of the base than themselves. */
export function buildTile(job: TensorJob, { start, stop }: RowTile, prepared: Prepared, options: MergeOptions): { readonly input: Tensor; readonly output: Tensor; readonly parameters: readonly Tensor[] } | undefined {
  const out = toCoreDType(job.entry.dtype)!;
  const stored = job.source ?? job.entry;
  const spec = { shape: stored.shape, dtype: toCoreDType(stored.dtype)! };
  const parameters = job.changes.map((change) => tensorPlaceholders(change));
  const tile = tileRows((base) => cast(job.changes.reduce((w, change, i) => apply(change, w, base, parameters[i]!, prepared, options, job.changes.length, out), base), out), spec, start, stop);
  return tile && { ...tile, parameters: parameters.flatMap((p) => Object.values(p)) };
}

function tensorPlaceholders(change: Change): Params {
  const list = "module" in change ? [...change.module.tensors] : ([["rows", change.tensor]] as const);
  return Object.fromEntries(list.map(([name, { dtype, shape }]) => [name, placeholder({ shape, dtype: toCoreDType(parseDType(dtype)!)! })]));
}

/** What one change makes of a tensor. Between several adapters the weight is rounded to its own dtype, as PEFT's merges in place do. */
function apply(change: Change, weight: Tensor, base: Tensor, params: Params, prepared: Prepared, options: MergeOptions, count: number, out: DType): Tensor {
  if (change.kind === "replace") return params.rows!;
  if (change.kind === "tokens") return replaceRows(weight, change.indices, cast(params.rows!, weight.dtype));
  const { method } = PEFT_METHODS.get(prepared.adapters[change.adapter]!.method)!;
  const { layer, config } = change.module;
  const context = { layer: { ...layer!, shape: weight.shape, dtype: weight.dtype }, config, scale: options.adapters[change.adapter]!.scale } as unknown as AdapterContext<never>;
  if (change.kind === "bias") {
    const delta = cast(method!.biasDelta!(params, context)!, "f32");
    return cast(add(cast(weight, "f32"), options.reverse ? neg(delta) : delta), weight.dtype);
  }
  if (options.reverse) return unmergeWeight(method!, weight, params, context);
  return mergeWeight(method!, weight, params, context, { rounding: options.safe ? "twice" : "once", dtype: count === 1 ? out : weight.dtype, unmerged: base });
}

/** Rows of a table replaced by others. */
function replaceRows(table: Tensor, indices: readonly number[], rows: Tensor): Tensor {
  const parts: Tensor[] = [];
  let at = 0;
  for (const [row, index] of indices.map((index, row) => [row, index] as const).sort((a, b) => a[1] - b[1])) {
    if (index > at) parts.push(slice(table, [[at, index]]));
    parts.push(slice(rows, [[row, row + 1]]));
    at = index + 1;
  }
  if (at < table.shape[0]!) parts.push(slice(table, [[at, table.shape[0]!]]));
  return concat(parts);
}
