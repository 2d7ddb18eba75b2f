import {
  type BackendBuffer,
  bytesPerElement,
  CapabilityError,
  type CompositeCall,
  type Executable,
  isFloat,
  outputBuffers,
  type Plan,
} from "@weft/tensor-core";
import type { WasmBackend } from "@weft/kernels-wasm";
import type { FileSet } from "../files/file-set.js";
import type { Item, Stored } from "./item.js";
import { coreDType } from "./tile-graph.js";
import { planTile, type TilePlan } from "./tile-plan.js";

/** Plans kept at a time; a model has about ten kinds of layers. */
const MAX_PLANS = 32;

/** Rows of one tensor, and what computes them. */
export interface TileRunner {
  /** Rows of a full tile. */
  readonly rows: number;
  /** The result may be written over the rows that it is computed from. */
  readonly inPlace: boolean;
  /** Computes rows from `start` on; both buffers begin at the tile's first row. @returns the statistics, if there are any: max|Δ|, ΣΔ², largest rounding error */
  run(start: number, rows: number, from: BackendBuffer, to: BackendBuffer): Float32Array;
  /** Index in the tile of the first value that is not finite, or -1. */
  firstNonFinite(tile: BackendBuffer, rows: number): number;
  dispose(): void;
}

interface Lowered extends TilePlan {
  readonly executable: Executable;
  /** The plan's constants in memory. */
  readonly held: readonly BackendBuffer[];
  readonly inPlace: boolean;
}

/** Everything that the plan of an item depends on. */
function signature(item: Item, rows: number): string {
  const stored = ({ dtype, shape }: Stored): unknown => [dtype, shape];
  const steps = item.steps.map(({ params, ...rest }) => [rest, Object.entries(params).map(([name, s]) => [name, stored(s)])]);
  return JSON.stringify([stored(item.source), item.dtype, steps, rows]);
}

/** The W buffer is read by one merge kernel alone, which reads each element before it writes it. */
function worksInPlace(plan: Plan, item: Item): boolean {
  const readers = plan.steps.filter((s) => s.inputs.some((o) => o.buffer === plan.inputs[0]));
  return readers.length === 1 && readers[0]!.kind === "composite" && readers[0]!.op === "mergeLowRank" && item.source.dtype === item.dtype;
}

/** A view of a buffer that begins later; kernels take any address. */
function at(buffer: BackendBuffer, shift: number): BackendBuffer {
  return shift === 0
    ? buffer
    : ({ bytes: buffer.bytes - shift, address: (buffer as BackendBuffer & { address: number }).address + shift } as BackendBuffer);
}

/**
 * Rows of a tile near `aim`, so that no tile has a few rows unless the tensor has: products of up to 4 rows run on another kernel, whose sums
 * round differently, and the result must not depend on the tiles.
 */
function tileRowsOf(total: number, aim: number): number {
  for (let rows = Math.max(8, aim - (aim % 4)); rows >= 8 && rows < total; rows -= 4)
    if (total % rows === 0 || total % rows > 4) return rows;
  return total;
}

/** Plans and runs tiles of items on one backend. */
export class TileEngine {
  private readonly plans = new Map<string, Lowered | undefined>();
  private readonly scalars: readonly BackendBuffer[];

  constructor(
    private readonly backend: WasmBackend,
    private readonly stats: boolean,
  ) {
    this.scalars = stats ? [0, 1, 2].map(() => backend.allocate(4)) : [];
  }

  /**
   * Prepares an item: loads its parameters, makes its plan.
   * @param tileBytes aim for the larger of a tile's input and output
   */
  prepare(item: Item, tileBytes: number, files: FileSet): TileRunner {
    const total = item.shape[0] ?? 1;
    const elements = item.source.shape.slice(1).reduce((a, b) => a * b, 1);
    const perRow = elements * Math.max(bytesPerElement(coreDType(item.source.dtype)), bytesPerElement(coreDType(item.dtype)));
    let rows = tileRowsOf(total, Math.floor(tileBytes / perRow));
    let full = this.lowered(item, rows);
    if (!full && rows < total) full = this.lowered(item, (rows = total));
    if (!full) throw new CapabilityError(`${item.name}: this change has no plan`, { kind: "internal", tensor: item.name });
    const { inPlace } = full;
    const params = item.steps.flatMap((step) => Object.values(step.params).map((stored) => this.load(stored, files)));
    const dtype = coreDType(item.dtype);
    return {
      rows,
      inPlace,
      run: (start, count, from, to) => {
        const { executable, shifts, held } = this.lowered(item, count)!;
        const bindings = [from, ...params, ...(this.stats ? [from] : []), ...held];
        const inputs = executable.plan.inputs.map((_, i) => (bindings[i] === from ? from : at(bindings[i]!, shifts[i]! * start)));
        const bound = [to, ...this.scalars];
        const outputs = outputBuffers(executable.plan).map((id) => bound[executable.plan.outputs.findIndex((o) => o.buffer === id)]!);
        this.backend.run(executable, inputs, outputs);
        return Float32Array.from(this.scalars, (b) => new Float32Array(Uint8Array.from(this.backend.view(b)).buffer)[0]!);
      },
      firstNonFinite: (tile, count) =>
        isFloat(dtype) && bytesPerElement(dtype) > 1 ? this.backend.firstNonFinite(tile, dtype as "f32", count * elements) : -1,
      dispose: () => params.forEach((b) => this.backend.free(b)),
    };
  }

  private load(stored: Stored, files: FileSet): BackendBuffer {
    const { values } = stored;
    if (values) return this.hold(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    const buffer = this.backend.allocate(Math.max(1, stored.bytes));
    files.readInto(stored.file, this.backend.view(buffer).subarray(0, stored.bytes), stored.offset);
    return buffer;
  }

  private hold(bytes: Uint8Array): BackendBuffer {
    const buffer = this.backend.allocate(Math.max(1, bytes.byteLength));
    this.backend.view(buffer).set(bytes);
    return buffer;
  }

  /** @returns undefined if the item cannot be computed by rows */
  private lowered(item: Item, rows: number): Lowered | undefined {
    const key = signature(item, rows);
    let found = this.plans.get(key);
    const known = this.plans.delete(key);
    if (!known) {
      const tile = planTile(item, rows, this.stats, (call: CompositeCall) => this.backend.claims(call));
      found = tile && {
        ...tile,
        executable: this.backend.lower(tile.plan),
        held: tile.constants.map((bytes) => this.hold(bytes)),
        inPlace: worksInPlace(tile.plan, item),
      };
      if (this.plans.size >= MAX_PLANS) {
        const [oldest, value] = this.plans.entries().next().value!;
        value?.executable.dispose();
        value?.held.forEach((b) => this.backend.free(b));
        this.plans.delete(oldest);
      }
    }
    // At the end: the plan in use is never the oldest.
    this.plans.set(key, found);
    return found;
  }
}
