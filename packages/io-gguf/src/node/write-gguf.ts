import { rmSync } from "node:fs";
import { type AtomicFile, type PieceOfFile, stageLaidOut } from "@weft/io-safetensors/node";
import { errorAt } from "@weft/io-safetensors";
import { type GgufEntry, layoutGguf } from "../layout-gguf.js";
import { SPLIT_KEYS, splitName } from "../splits.js";
import { GGML_TYPES } from "../ggml-types.js";
import { tensorBytes } from "../tensor-bytes.js";
import type { GgufMetadata, GgufValue } from "../values.js";

/** A tensor with its data: at once, or in pieces as they come. */
export interface GgufTensorData extends GgufEntry {
  readonly data: PieceOfFile;
}

/** Into how many files a model is written, and the signal that stops the writing. */
export interface WriteGgufOptions {
  /** Most bytes of tensors in a file; all go into one if not given. More than one are called `NAME-00001-of-0000N.gguf`. */
  readonly maxSplitBytes?: number;
  readonly signal?: AbortSignal;
}

/**
 * Writes a model to `path`, whose name ends in `.gguf`, or to as many files beside it as `maxSplitBytes` asks for. Files appear when all are complete.
 * @param metadata in the order of the file; `general.architecture` first, as gguf-py has it
 * @returns the paths
 * @throws FormatError as `layoutGguf`, and kind `size-mismatch` if a tensor's data is not as long as its shape says; IoError; CancelledError
 */
export async function writeGguf(
  path: string,
  metadata: GgufMetadata,
  tensors: Iterable<GgufTensorData>,
  options: WriteGgufOptions = {},
): Promise<string[]> {
  const groups = grouped([...tensors], options.maxSplitBytes ?? Infinity);
  if (!path.endsWith(".gguf")) throw errorAt("config-value", `the name of the file must end in .gguf`, { file: path });
  const model = path.slice(0, -".gguf".length);
  const files = groups.map((group, no) => {
    const split = groups.length === 1 ? [] : splitEntries(no, groups);
    const layout = layoutGguf(new Map([...(no === 0 ? metadata : []), ...split]), group);
    return { path: groups.length === 1 ? path : splitName(model, no, groups.length), layout, group };
  });
  const staged: AtomicFile[] = [];
  try {
    for (const file of files) {
      const data = new Map(file.group.map((tensor) => [tensor.name, tensor.data]));
      staged.push(await stageLaidOut(file.path, file.layout, (name) => data.get(name)!, options.signal));
    }
    // Without its first file, no mixture of old and new ones is taken for a model.
    rmSync(files[0]!.path, { force: true });
    for (const file of staged.toReversed()) await file.commit();
  } catch (error) {
    for (const file of staged) file.abort();
    throw error;
  }
  return files.map((file) => file.path);
}

/** Tensors in their order, as many to a file as fit. */
function grouped(tensors: readonly GgufTensorData[], most: number): GgufTensorData[][] {
  const groups: GgufTensorData[][] = [[]];
  let filled = 0;
  for (const tensor of tensors) {
    const bytes = Object.hasOwn(GGML_TYPES, tensor.type) ? tensorBytes(tensor.shape, tensor.type, { tensor: tensor.name }) : 0;
    if (groups.at(-1)!.length > 0 && filled + bytes > most) {
      groups.push([]);
      filled = 0;
    }
    groups.at(-1)!.push(tensor);
    filled += bytes;
  }
  return groups;
}

const splitEntries = (no: number, groups: readonly GgufTensorData[][]): [string, GgufValue][] => [
  [SPLIT_KEYS.no, { type: "u16", value: no }],
  [SPLIT_KEYS.count, { type: "u16", value: groups.length }],
  [SPLIT_KEYS.tensors, { type: "i32", value: groups.reduce((sum, group) => sum + group.length, 0) }],
];
