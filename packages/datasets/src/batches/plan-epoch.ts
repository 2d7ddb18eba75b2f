import { optionError } from "../data-error.js";
import { packRows, type Packing } from "./pack.js";
import { permutation } from "./permutation.js";

/** What comes into a batch, and in what order. */
export interface PlanOptions {
  /** Rows of a batch; not with `tokenBudget`. */
  readonly batchSize?: number;
  /** Most tokens of a batch, padding included: rows times the longest. */
  readonly tokenBudget?: number;
  /** False keeps the order of the examples; true if not given. */
  readonly shuffle?: boolean;
  /** Orders depend on it and the epoch only; 0 if not given. */
  readonly seed?: number;
  /** Several examples share a row. */
  readonly packing?: Packing;
  /** Rows of like length come into one batch: so many batches at a time are sorted by length. 0, none, if not given. */
  readonly bucketing?: number;
  /** A last batch that is not full is left out; false if not given. */
  readonly dropLast?: boolean;
}

/** Examples of the rows of a batch, by their numbers. */
export type PlannedBatch = readonly (readonly number[])[];

/** The keys of a seed's orders: of examples, of packed rows, of batches. */
const [EXAMPLES, ROWS, BATCHES] = [0, 1, 2];
const SEED_STEP = 0x3c6ef372;

/**
 * Which examples come into which batch of an epoch: always the same for the same lengths, options and epoch.
 * @param lengths of the examples, in tokens
 * @throws ConfigError kind `dataset-option`
 */
export function planEpoch(lengths: ArrayLike<number>, options: PlanOptions, epoch: number): PlannedBatch[] {
  const { batchSize, tokenBudget, shuffle = true, seed = 0, packing, bucketing = 0, dropLast = false } = options;
  if ((batchSize === undefined) === (tokenBudget === undefined)) throw optionError("give either batchSize or tokenBudget");
  const limit = batchSize ?? tokenBudget!;
  if (!Number.isInteger(limit) || limit < 1)
    throw optionError(`${batchSize === undefined ? "tokenBudget" : "batchSize"} is ${limit}, expected an integer above 0`);
  const shuffled = <T>(all: readonly T[], key: number): T[] => {
    if (!shuffle) return [...all];
    return Array.from(permutation(all.length, seed + key * SEED_STEP, epoch), (i) => all[i]!);
  };
  const order = shuffled(
    Array.from({ length: lengths.length }, (_, i) => i),
    EXAMPLES!,
  );
  const packed = packing && packRows(lengths, order, packing);
  // Packed in order, rows are in that order already.
  let rows = packed ? (packing.strategy === "in-order" ? packed : shuffled(packed, ROWS!)) : order.map((i) => [i]);
  const sizeOf = (row: readonly number[]): number => packing?.length ?? lengths[row[0]!]!;
  if (bucketing > 0 && !packed) {
    const window = bucketing * (batchSize ?? Math.max(1, Math.floor(tokenBudget! / meanOf(lengths))));
    rows = Array.from({ length: Math.ceil(rows.length / window) }, (_, i) =>
      rows.slice(i * window, (i + 1) * window).sort((a, b) => sizeOf(a) - sizeOf(b)),
    ).flat();
  }
  const batches = grouped(rows, sizeOf, limit, batchSize === undefined);
  const last = batches.at(-1);
  if (dropLast && batchSize !== undefined && last && last.length < batchSize) batches.pop();
  return bucketing > 0 && !packed ? shuffled(batches, BATCHES!) : batches;
}

const meanOf = (lengths: ArrayLike<number>): number =>
  Math.max(1, Array.from(lengths).reduce((sum, one) => sum + one, 0) / Math.max(1, lengths.length));

/** Rows in batches of so many, or of so many tokens with the padding. */
function grouped(rows: readonly number[][], sizeOf: (row: readonly number[]) => number, limit: number, byTokens: boolean): number[][][] {
  const batches: number[][][] = [];
  let widest = 0;
  for (const row of rows) {
    const size = sizeOf(row);
    if (byTokens && size > limit)
      throw optionError(`tokenBudget: a row has ${size} tokens, a batch at most ${limit}`, "encode with maxLength, or raise the budget");
    const open = batches.at(-1);
    const width = Math.max(widest, size);
    if (open && (byTokens ? (open.length + 1) * width <= limit : open.length < limit)) {
      open.push(row);
      widest = width;
    } else {
      batches.push([row]);
      widest = size;
    }
  }
  return batches;
}
