import { ConfigError, type Device, type Tensor } from "@weft/tensor-core";
import type { BatchTensors } from "../objectives/objective.js";

/** Rows of one length each, or one number per row. */
export type BatchField = readonly ArrayLike<number>[] | ArrayLike<number>;

/**
 * A batch as plain arrays, rows of one length: what `batchRows` of `@weft/datasets` gives, or made by hand. Other fields go to the model under their names; those that are
 * undefined are left out.
 */
export interface Batch {
  readonly inputIds: BatchField;
  /** -100 is not trained; not shifted. */
  readonly labels?: BatchField | undefined;
  readonly attentionMask?: BatchField | undefined;
  readonly positionIds?: BatchField | undefined;
  /** Of packed rows: which document each token is of. */
  readonly segmentIds?: BatchField | undefined;
  /** Of encoders: which segment. */
  readonly tokenTypeIds?: BatchField | undefined;
  /** Of `kto`: 1 or 0 for each row. */
  readonly desirable?: BatchField | undefined;
  /** Of `kto`: the mismatched texts. */
  readonly klInputIds?: BatchField | undefined;
  readonly klLabels?: BatchField | undefined;
  readonly klAttentionMask?: BatchField | undefined;
  /** Of `COSINE_SIMILARITY`: one for each pair. */
  readonly scores?: BatchField | undefined;
}

/** Batches, as often as they are asked for: an array, an iterable that can be read again, or a function that begins anew for each epoch (from 0 on). */
export type TrainingData = Iterable<Batch> | AsyncIterable<Batch> | ((epoch: number) => Iterable<Batch> | AsyncIterable<Batch>);

const isRows = (field: BatchField): field is readonly ArrayLike<number>[] => typeof field[0] === "object";

/** Shape and numbers of a field. @throws ConfigError kind `bad-batch` for rows of different lengths */
function flat(name: string, field: BatchField): { readonly shape: readonly number[]; readonly values: readonly number[] } {
  if (!isRows(field)) return { shape: [field.length], values: Array.from(field) };
  const { length } = field[0]!;
  const other = field.findIndex((row) => row.length !== length);
  if (other >= 0)
    throw new ConfigError(`a batch: ${name} has rows of ${length} and of ${field[other]!.length} (row ${other})`, {
      kind: "bad-batch",
      hint: "pad them to one length",
    });
  return { shape: [field.length, length], values: field.flatMap((row) => Array.from(row)) };
}

/** A batch in a device's memory: whole numbers as i32, scores as f32. @throws ConfigError kind `bad-batch` */
export function batchTensors(batch: Batch, device: Device): BatchTensors {
  const fields = Object.entries(batch).filter((entry): entry is [string, BatchField] => entry[1] !== undefined);
  const { inputIds: ids } = batch as Partial<Batch>;
  if (!ids || ids.length === 0)
    throw new ConfigError(`a batch has no inputIds; it has ${fields.map(([name]) => name).join(", ") || "nothing"}`, { kind: "bad-batch" });
  return Object.fromEntries(
    fields.map(([name, field]): [string, Tensor] => {
      const { shape, values } = flat(name, field);
      const wrong = values.findIndex((x) => typeof x !== "number" || Number.isNaN(x));
      if (wrong >= 0) throw new ConfigError(`a batch: ${name} holds ${values[wrong]} at ${wrong}`, { kind: "bad-batch" });
      const data = values.every(Number.isInteger) && name !== "scores" ? Int32Array.from(values) : Float32Array.from(values);
      return [name, device.tensor(data, { shape })];
    }),
  );
}

/** Tokens of a batch that are no padding. */
export function countTokens({ attentionMask, inputIds }: Batch): number {
  const rows = (attentionMask ?? inputIds) as readonly ArrayLike<number>[];
  return rows.reduce((sum, row) => sum + (attentionMask ? Array.from(row).reduce((a, b) => a + b, 0) : row.length), 0);
}
