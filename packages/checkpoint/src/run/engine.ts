import { bytesPerElement, CancelledError, CapabilityError, type Executable, isFloat, type Plan, verifyIndices } from "@weft/tensor-core";
import type { WasmBackend, WasmBuffer } from "@weft/kernels-wasm";
import { type RowSumPlan, signature } from "../plan/job-plan.js";
import type { JobPlans } from "../plan/plan-jobs.js";
import { rowsOf, type TensorJob, type TensorLocation } from "../plan/tensor-job.js";
import { coreDType } from "../plan/tile-graph.js";
import type { TilePlan } from "../plan/tile-plan.js";
import type { ByteReader } from "../source/byte-reader.js";

/** Plans that are kept lowered at a time; a model has about ten kinds of layers. */
const MAX_LOWERED = 32;

/** Rows of one tensor, and what computes them. */
export interface TileRunner {
  /** Rows of a full tile. */
  readonly rows: number;
  /** The result may be written over the rows that it is computed from. */
  readonly inPlace: boolean;
  /** Computes rows from `start` on; both buffers begin at the tile's first row. @returns the statistics, if there are any: max|Δ|, ΣΔ², largest rounding error */
  run(start: number, rows: number, from: WasmBuffer, to: WasmBuffer): Promise<Float32Array>;
  /** Index in the tile of the first value that is not finite, or -1. */
  firstNonFinite(tile: WasmBuffer, rows: number): Promise<number>;
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

/** What of a plan has been lowered. */
type LoweredTiles = Map<TilePlan, Lowered>;

/** The W buffer is read by one merge kernel alone, which reads each element before it writes it. */
function worksInPlace(plan: Plan, job: TensorJob): boolean {
  const readers = plan.steps.filter((s) => s.inputs.some((o) => o.buffer === plan.inputs[0]));
  return readers.length === 1 && readers[0]!.kind === "composite" && readers[0]!.op === "mergeLowRank" && rowsOf(job).dtype === job.dtype;
}

/** Runs tiles of tensors on one backend, by plans that were made for all of them. */
export class TileEngine {
  private readonly lowered = new Map<string, LoweredTiles>();
  private readonly scalars: readonly WasmBuffer[];

  /** @param stats as the plans were made */
  constructor(
    private readonly backend: WasmBackend,
    private readonly plans: JobPlans,
    private readonly stats: boolean,
  ) {
    this.scalars = stats ? [0, 1, 2].map(() => backend.allocate(4)) : [];
  }

  /**
   * Prepares a tensor: loads its parameters, lowers its plan, finds the sums over all its rows.
   * @throws CancelledError
   */
  async prepare(job: TensorJob, files: ByteReader, stopped: () => boolean): Promise<TileRunner> {
    const key = signature(job);
    const plan = this.plans.get(key);
    if (!plan) throw new CapabilityError(`${job.name}: this change was not planned`, { kind: "internal", tensor: job.name });
    const tiles = this.tilesOf(key);
    const stored = [...(job.weight ? [job.source] : []), ...job.steps.flatMap((step) => Object.values(step.params))];
    const params: WasmBuffer[] = [];
    for (const one of stored) params.push(await this.load(one, files));
    for (const sum of plan.sums) params.push(this.hold(await this.addUp(job, tiles, sum, params, files, stopped)));
    const sums = params.slice(params.length - plan.sums.length);
    const dtype = coreDType(job.dtype);
    const elements = job.shape.slice(1).reduce((a, b) => a * b, 1);
    return {
      rows: plan.rows,
      // Statistics read the rows once more behind the result.
      inPlace: !this.stats && worksInPlace(plan.tile.plan, job),
      run: async (start, count, from, to) => {
        const tile = await this.lower(tiles, count === plan.rows ? plan.tile : plan.rest!);
        await this.execute(tile, start, [from, ...params, ...(this.stats ? [from, ...sums] : [])], [to, ...this.scalars]);
        return Float32Array.from(this.scalars, (b) => new Float32Array(Uint8Array.from(this.backend.view(b)).buffer)[0]!);
      },
      firstNonFinite: async (tile, count) =>
        isFloat(dtype) && bytesPerElement(dtype) > 1 ? this.backend.firstNonFinite(tile, dtype as "f32", count * elements) : -1,
      dispose: () => params.forEach((b) => this.backend.free(b)),
    };
  }

  /** A sum over all rows of the tensor, part by part in f64. */
  private async addUp(
    job: TensorJob,
    tiles: LoweredTiles,
    { size, rows, part, rest }: RowSumPlan,
    params: readonly WasmBuffer[],
    files: ByteReader,
    stopped: () => boolean,
  ): Promise<Uint8Array> {
    const total = job.shape[0]!;
    const read = rowsOf(job);
    const row = read.bytes / total;
    const [from, to] = [this.backend.allocate(rows * row), this.backend.allocate(size * 4)];
    const sum = new Float64Array(size);
    try {
      for (let start = 0; start < total; start += rows) {
        if (stopped()) throw new CancelledError();
        const count = Math.min(rows, total - start);
        await files.readInto(read.file, this.backend.view(from).subarray(0, count * row), read.offset + start * row);
        await this.execute(await this.lower(tiles, count === rows ? part : rest!), start, [from, ...params], [to]);
        new Float32Array(Uint8Array.from(this.backend.view(to)).buffer).forEach((v, i) => (sum[i]! += v));
      }
    } finally {
      this.backend.free(from);
      this.backend.free(to);
    }
    return new Uint8Array(Float32Array.from(sum).buffer);
  }

  /** Runs a plan for rows from `start` on. The first input holds those rows, the others whole parameters. @throws IndexError */
  private async execute(
    { executable, shifts, held, checks, extremes }: Lowered,
    start: number,
    given: readonly WasmBuffer[],
    to: readonly WasmBuffer[],
  ): Promise<void> {
    const bindings = [...given, ...held];
    const inputs = bindings.map((buffer, i) => (buffer === given[0] ? buffer : this.backend.part(buffer, shifts[i]! * start)));
    await this.backend.run(executable, inputs, [...to, ...extremes]);
    for (const buffer of extremes) verifyIndices(checks, this.backend.view(buffer));
  }

  private async load(stored: TensorLocation, files: ByteReader): Promise<WasmBuffer> {
    const { values } = stored;
    if (values) return this.hold(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    const buffer = this.backend.allocate(Math.max(1, stored.bytes));
    await files.readInto(stored.file, this.backend.view(buffer).subarray(0, stored.bytes), stored.offset);
    return buffer;
  }

  private hold(bytes: Uint8Array): WasmBuffer {
    const buffer = this.backend.allocate(Math.max(1, bytes.byteLength));
    this.backend.view(buffer).set(bytes);
    return buffer;
  }

  /** What is lowered of a plan; that which was not used for the longest time is freed where there is too much. */
  private tilesOf(key: string): LoweredTiles {
    const tiles: LoweredTiles = this.lowered.get(key) ?? new Map();
    this.lowered.delete(key);
    if (this.lowered.size >= MAX_LOWERED) {
      const [oldest, unused] = this.lowered.entries().next().value!;
      for (const { executable, held, extremes } of unused.values()) {
        executable.dispose();
        for (const buffer of [...held, ...extremes]) this.backend.free(buffer);
      }
      this.lowered.delete(oldest);
    }
    // At the end: what is in use is never the oldest.
    this.lowered.set(key, tiles);
    return tiles;
  }

  private async lower(tiles: LoweredTiles, tile: TilePlan): Promise<Lowered> {
    let found = tiles.get(tile);
    if (!found) {
      found = {
        ...tile,
        executable: await this.backend.lower(tile.plan),
        held: tile.constants.map((bytes) => this.hold(bytes)),
        extremes: tile.checks.length > 0 ? [this.backend.allocate(8 * tile.checks.length)] : [],
      };
      tiles.set(tile, found);
    }
    return found;
  }
}
