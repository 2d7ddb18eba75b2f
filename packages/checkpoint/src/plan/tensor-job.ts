import type { SafetensorsDType } from "@weft/io-safetensors";
import type { PlacedPart } from "@weft/adapter-files";
import type { LayerSpec } from "@weft/tensor-core";

/** Data of a tensor in a file. */
export interface TensorLocation {
  /** The data itself, where no file holds it so (what follows from a seed, integers of another width). */
  readonly values?: Float32Array | Int32Array;
  readonly file: string;
  /** From the beginning of the file. */
  readonly offset: number;
  readonly bytes: number;
  readonly dtype: SafetensorsDType;
  readonly shape: readonly number[];
}

/** Values that no file holds. */
export const inlineTensor = ({
  values,
  shape,
}: {
  readonly values: Float32Array | Int32Array;
  readonly shape: readonly number[];
}): TensorLocation => ({
  values,
  file: "",
  offset: 0,
  bytes: values.byteLength,
  dtype: values instanceof Int32Array ? "I32" : "F32",
  shape,
});

/** One adapter's effect on one tensor. Plain data, so that worker threads can be handed it. */
export interface MergeOp {
  /** `peft_type`. */
  readonly method: string;
  readonly config: object;
  readonly layer: LayerSpec;
  /** The user's factor. */
  readonly scale: number;
  /** Rounded as PEFT's `safe_merge` does. */
  readonly safeMerge: boolean;
  /** The adapter computes in f32 whatever its file holds, as PEFT reads it by default; else in the dtype of the weight. */
  readonly autocastAdapterDtype: boolean;
  /**
   * `bias`: the tensor is the layer's bias. `unmerge`: the effect is taken out. `initial`: what the initialisation took out of the base; what is
   * left is the weight that the adapters were trained on.
   */
  readonly kind: "weight" | "bias" | "unmerge" | "initial";
  /** By the method's parameter names. */
  readonly params: { readonly [name: string]: TensorLocation };
  /** Where the tensor is not the layer's weight (or bias), but part of it or more than it: which box of the two is meant. */
  readonly place?: Place;
}

/** A box that a tensor and a layer's weight have in common. */
export interface Place extends Omit<PlacedPart, "tensor"> {
  /** Of the layer's weight. */
  readonly shape: readonly number[];
}

/** Rows of a tensor that are replaced after all steps. */
export interface RowPatch {
  readonly indices: readonly number[];
  readonly rows: TensorLocation;
}

/** A tensor of the output that a quantised weight is stored in, or a part of it. */
export interface StoredPart {
  readonly name: string;
  /** Where its data begins in the file. */
  readonly offset: number;
  readonly bytes: number;
  /** Its name behind the module's path. */
  readonly key: string;
  /** The part of the format that it is; without one it is made when all rows are there. */
  readonly part?: string | undefined;
}

/** A result that is stored as the base has it: quantised, or in another order of rows. */
export interface StoredAs {
  /** The values (`TensorTask.values`) whose format is written. */
  readonly like: string;
  readonly tensors: readonly StoredPart[];
}

/** One tensor of the output: where it comes from, what is done to it, where it goes. */
export interface TensorJob {
  readonly name: string;
  /** Index of the output file. */
  readonly shard: number;
  /** Where its data begins in that file. */
  readonly offset: number;
  readonly bytes: number;
  readonly dtype: SafetensorsDType;
  readonly shape: readonly number[];
  readonly source: TensorLocation;
  /** Of a bias: the layer's weight before any step, where the steps look at it; it is read row by row, the bias at once. */
  readonly weight?: TensorLocation | undefined;
  readonly steps: readonly MergeOp[];
  readonly patches: readonly RowPatch[];
  /** In place of `offset` and `bytes`, which then are those of the values in `dtype`: the tensors that the result is stored in. */
  readonly stored?: StoredAs | undefined;
}

/** What became of one item. */
export interface JobResult {
  /** SHA-256 of the tensor's bytes, where it was asked for; of a tensor that is stored in others, that of the report. */
  readonly sha256?: string;
  readonly change?: ChangeStats;
}

/** Size of the change of a merged tensor. */
export interface ChangeStats {
  /** Largest |Δ| and ‖Δ‖ (Frobenius) of the change in f32. */
  readonly maxAbs: number;
  readonly norm: number;
  /** Largest |stored - exact| that the rounding to the output's dtype made. */
  readonly rounding: number;
}

/** The tensor that is read row by row to compute an item. */
export const rowsOf = ({ source, weight }: TensorJob): TensorLocation => weight ?? source;

/** True if the data goes through unchanged. */
export const isCopy = (item: TensorJob): boolean => item.steps.length === 0 && item.source.dtype === item.dtype;
