import type { RowRange } from "@weft/io-safetensors";
import type { GgmlTypeName } from "./ggml-types.js";
import type { GgufTensor } from "./read-header.js";
import type { GgufMetadata } from "./values.js";

/** A tensor's data: blocks of its type, row-major. */
export interface GgufData {
  readonly type: GgmlTypeName;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** An open file, or all files of a model that is split. */
export interface GgufFile {
  /** What messages call it: a path, a URL, a file's name. */
  readonly location: string;
  readonly version: number;
  /** Of a model that is split: of its first file, without what only splits have. */
  readonly metadata: GgufMetadata;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
  /**
   * The data of a tensor, or of some of its rows.
   * @throws FormatError kinds `no-such-tensor`, `rows`; IoError
   */
  read(name: string, rows?: RowRange): Promise<GgufData>;
  close(): Promise<void>;
}
