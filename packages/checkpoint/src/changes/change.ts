import type { ModelKind } from "@weft/adapter-files";
import type { Quantization } from "@weft/io-safetensors";
import type { WeftError } from "@weft/tensor-core";
import type { MergeOp, RowPatch, TensorLocation } from "../plan/tensor-job.js";
import type { ByteReader } from "../source/byte-reader.js";
import type { Tie } from "./tied.js";

/** What the adapters do to one tensor of the base. */
export interface Change {
  /** Its own version of the tensor, from the adapter that has one. */
  replacement?: TensorLocation;
  /** The base does not have this tensor. */
  added: boolean;
  /** Its rows are more or fewer than the base's. */
  resized: boolean;
  steps: MergeOp[];
  patches: RowPatch[];
  /** Of a bias: the weight that its steps look at. */
  weight?: string;
}

export interface ChangeOptions {
  readonly safeMerge: boolean;
  readonly autocastAdapterDtype: boolean;
  /** Take the effect out instead. */
  readonly unmerge: boolean;
  readonly quantization: Quantization;
  /** Why its weights are not read, by path of the module. */
  readonly unread?: ReadonlyMap<string, WeftError> | undefined;
  /** Reads the files of base and adapters. */
  readonly files: ByteReader;
  /** The base's tied embeddings, which its `names` have both of. */
  readonly tie?: Tie | undefined;
  /** What the base's config.json says that it is. */
  readonly model?: ModelKind | undefined;
  /** Stops decompositions, which take time. */
  readonly signal?: AbortSignal | undefined;
}
