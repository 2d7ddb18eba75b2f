import { bytesPerElement, CancelledError, type Executable, isFloat, type MethodTable, type Plan, verifyIndices } from "@weft/tensor-core";
import type { WasmBackend, WasmBuffer } from "@weft/kernels-wasm";
import type { FileSet } from "../node/file-set.js";
import { type Item, rowsOf, type Stored } from "../plan/item.js";
import { type ItemPlan, planItem, type RowSumPlan, signature } from "../plan/item-plan.js";
import { coreDType } from "../plan/tile-graph.js";
import type { TilePlan } from "../plan/tile-plan.js";

/** Plans kept at a time; a model has about ten kinds of layers. */
const MAX_PLANS = 32;

/** Rows of one tensor, and what computes them. */
export interface TileRunner {
  /** Rows of a full tile. */
  readonly rows: number;
  /** The result may be written over the rows that it is computed from. */
  readonly inPlace: boolean;
  /** Computes rows from `start` on; both buffers begin at the tile's first row. @returns the statistics, if there are any: max|Δ|, ΣΔ², largest rounding error */
  run(start: number, rows: number, from: WasmBuffer, to: WasmBuffer): Float32Array;
  /** Index in the tile of the first value that is not finite, or -1. */
  firstNonFinite(tile: WasmBuffer, rows: number): number;
  dispose(): void;
}

/** A plan on the backend. */
interface Lowered extends TilePlan {
  readonly executable: Executable;
  /** The plan's constants in memory. */
  readonly held: readonly WasmBuffer[];
  /** Where it tells of its indices, if it has checks. */
  readonly extremes: readonly WasmBuffer[];
}

/** An item's plan, and what of it has been lowered. */
interface Prepared {
  readonly plan: ItemPlan;
  readonly lowered: Map<TilePlan, Lowered>;
}

/** The W buffer is read by one merge kernel alone, which reads each element before it writes it. */
function worksInPlace(plan: Plan, item: Item): boolean {
  const readers = plan.steps.filter((s) => s.inputs.some((o) => o.buffer === plan.inputs[0]));
  return readers.length === 1 && readers[0]!.kind === "composite" && readers[0]!.op === "mergeLowRank" && rowsOf(item).dtype === item.dtype;
}

/** Plans and runs tiles of items on one backend. */
export class TileEngine {
  private readonly plans = new Map<string, Prepared>();
  private readonly scalars: readonly WasmBuffer[];

  constructor(
    private readonly backend: WasmBackend,
    private readonly methods: MethodTable,
    private readonly stats: boolean,
  ) {
    this.scalars = stats ? [0, 1, 2].map(() => backend.allocate(4)) : [];
  }

  /**
   * Prepares an item: loads its parameters, makes its plan, finds the sums over all its rows.
   * @param tileBytes aim for the larger of a tile's input and output
   * @throws CancelledError
   */
  prepare(item: Item, tileBytes: number, files: FileSet, stopped: () => boolean): TileRunner {
    const prepared = this.planned(item, tileBytes);
    const { plan } = prepared;
    const stored = [...(item.weight ? [item.source] : []), ...item.steps.flatMap((step) => Object.values(step.params))];
    const params = stored.map((one) => this.load(one, files));
    for (const sum of plan.sums) params.push(this.hold(this.addUp(item, prepared, sum, params, files, stopped)));
    const sums = params.slice(params.length - plan.sums.length);
    const dtype = coreDType(item.dtype);
    const elements = item.shape.slice(1).reduce((a, b) => a * b, 1);
    return {
      rows: plan.rows,
      // Statistics read the rows once more behind the result.
      inPlace: !this.stats && worksInPlace(plan.tile.plan, item),
      run: (start, count, from, to) => {
        const tile = this.lower(prepared, count === plan.rows ? plan.tile : plan.rest(count));
        this.execute(tile, start, [from, ...params, ...(this.stats ? [from, ...sums] : [])], [to, ...this.scalars]);
        return Float32Array.from(this.scalars, (b) => new Float32Array(Uint8Array.from(this.backend.view(b)).buffer)[0]!);
      },
      firstNonFinite: (tile, count) =>
        isFloat(dtype) && bytesPerElement(dtype) > 1 ? this.backend.firstNonFinite(tile, dtype as "f32", count * elements) : -1,
      dispose: () => params.forEach((b) => this.backend.free(b)),
    };
  }

  /** A sum over all rows of the item's tensor, part by part in f64. */
  private addUp(
    item: Item,
    prepared: Prepared,
    { size, rows, part }: RowSumPlan,
    params: readonly WasmBuffer[],
    files: FileSet,
    stopped: () => boolean,
  ): Uint8Array {
    const total = item.shape[0]!;
    const read = rowsOf(item);
    const row = read.bytes / total;
    const [from, to] = [this.backend.allocate(rows * row), this.backend.allocate(size * 4)];
    const sum = new Float64Array(size);
    try {
      for (let start = 0; start < total; start += rows) {
        if (stopped()) throw new CancelledError();
        const count = Math.min(rows, total - start);
        files.readInto(read.file, this.backend.view(from).subarray(0, count * row), read.offset + start * row);
        this.execute(this.lower(prepared, part(count)), start, [from, ...params], [to]);
        new Float32Array(Uint8Array.from(this.backend.view(to)).buffer).forEach((v, i) => (sum[i]! += v));
      }
    } finally {
      this.backend.free(from);
      this.backend.free(to);
    }
    return new Uint8Array(Float32Array.from(sum).buffer);
  }

  /** Runs a plan for rows from `start` on. The first input holds those rows, the others whole parameters. @throws IndexError */
  private execute(
    { executable, shifts, held, checks, extremes }: Lowered,
    start: number,
    given: readonly WasmBuffer[],
    to: readonly WasmBuffer[],
  ): void {
    const bindings = [...given, ...held];
    const inputs = bindings.map((buffer, i) => (buffer === given[0] ? buffer : this.backend.part(buffer, shifts[i]! * start)));
    this.backend.run(executable, inputs, [...to, ...extremes]);
    for (const buffer of extremes) verifyIndices(checks, this.backend.view(buffer));
  }

  private load(stored: Stored, files: FileSet): WasmBuffer {
    const { values } = stored;
    if (values) return this.hold(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    const buffer = this.backend.allocate(Math.max(1, stored.bytes));
    files.readInto(stored.file, this.backend.view(buffer).subarray(0, stored.bytes), stored.offset);
    return buffer;
  }

  private hold(bytes: Uint8Array): WasmBuffer {
    const buffer = this.backend.allocate(Math.max(1, bytes.byteLength));
    this.backend.view(buffer).set(bytes);
    return buffer;
  }

  private planned(item: Item, tileBytes: number): Prepared {
    const key = `${tileBytes} ${signature(item)}`;
    const known = this.plans.get(key);
    this.plans.delete(key);
    if (!known && this.plans.size >= MAX_PLANS) {
      const [oldest, { lowered }] = this.plans.entries().next().value!;
      for (const { executable, held, extremes } of lowered.values()) {
        executable.dispose();
        for (const buffer of [...held, ...extremes]) this.backend.free(buffer);
      }
      this.plans.delete(oldest);
    }
    const prepared = known ?? {
      // Tiles are lowered while others run: what loads kernels first is left to its decomposition.
      plan: planItem(item, this.methods, tileBytes, this.stats, (call) => call.name !== "quantLinear" && this.backend.claims(call)),
      lowered: new Map(),
    };
    // At the end: the plan in use is never the oldest.
    this.plans.set(key, prepared);
    return prepared;
  }

  private lower({ lowered }: Prepared, tile: TilePlan): Lowered {
    let found = lowered.get(tile);
    if (!found) {
      found = {
        ...tile,
        executable: this.backend.lowerSync(tile.plan),
        held: tile.constants.map((bytes) => this.hold(bytes)),
        extremes: tile.checks.length > 0 ? [this.backend.allocate(8 * tile.checks.length)] : [],
      };
      lowered.set(tile, found);
    }
    return found;
  }
}
