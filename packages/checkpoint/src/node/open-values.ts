import type { LocatedTensor, WeightSource } from "@weft/io-safetensors";
import { openGgufPath } from "@weft/io-gguf/node";
import type { RowSource } from "../quantize/row-source.js";
import type { ValueBase } from "../quantize/value-base.js";
import { FileSet } from "./file-set.js";
import { isGgufPath } from "./open-merge-base.js";
import { localPath, openCheckpoint } from "./open-input.js";
import { openValueBase, viewGguf } from "./quantize/open-value-base.js";
import { ValueReader } from "./quantize/value-reader.js";
import { folderOf, readModelConfig } from "./side-files.js";

/** A checkpoint each of whose quantised weights is one tensor of f32 values, and what reads it. */
export interface OpenedValues {
  readonly weights: WeightSource;
  /** Of the weights that are quantised: what they are stored as, by name. */
  readonly formats: ReadonlyMap<string, string>;
  readonly reader: ValueReader;
  /** The files that tensors lie in; of all if not given. */
  files(tensors?: readonly LocatedTensor[]): string[];
  /** Bytes of tensors as they are stored. */
  bytesOf(tensors: readonly LocatedTensor[]): number;
  close(): Promise<void>;
}

const NONE: ReadonlyMap<string, RowSource> = new Map();

/** Views tensors that are open as values; those of formats that are not read stay as they are. It closes them. @throws ConfigError kind `config-json` */
export async function valuesOfCheckpoint(weights: WeightSource): Promise<OpenedValues> {
  const files = new FileSet();
  return opened(weights, await openValueBase(weights, readModelConfig(folderOf(weights.location)), files), files);
}

/** Opens a checkpoint of safetensors, or a GGUF file, as values. @throws as `openCheckpoint`, `openGgufPath` */
export async function openValues(named: string): Promise<OpenedValues> {
  const path = localPath(named);
  if (!isGgufPath(path)) return valuesOfCheckpoint(await openCheckpoint(path));
  const files = new FileSet();
  const values = viewGguf(await openGgufPath(path), files);
  return opened(values.weights, values, files);
}

function opened(weights: WeightSource, values: ValueBase | undefined, files: FileSet): OpenedValues {
  const reader = new ValueReader(files, values?.values ?? NONE);
  const view = values?.weights ?? weights;
  const stored = (tensors: readonly LocatedTensor[] = [...view.names()].map((name) => view.info(name))): LocatedTensor[] =>
    tensors.flatMap((tensor) => values?.packed.get(tensor.name)?.parts.map(({ located }) => located) ?? [tensor]);
  return {
    weights: view,
    formats: new Map([...(values?.packed ?? [])].map(([name, { format }]) => [name, format])),
    reader,
    files: (tensors) => [...new Set(stored(tensors).map(({ file }) => file))],
    bytesOf: (tensors) => stored(tensors).reduce((sum, { bytes }) => sum + bytes, 0),
    async close() {
      await reader.close();
      await files.close();
      await weights.close();
    },
  };
}
