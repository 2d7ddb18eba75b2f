import { openGgufPath } from "@weft/io-gguf/node";
import { findQuantization, type LocatedTensor, type WeightSource } from "@weft/io-safetensors";
import type { ModelConfig } from "../../changes/tied.js";
import type { WeightDType } from "../../plan/plan-merge.js";
import { ggufSources } from "../../quantize/gguf-sources.js";
import type { RowSource } from "../../quantize/row-source.js";
import { localPath, openCheckpoint } from "../open-input.js";
import { folderOf, readModelConfig, type SideFile, sideFiles } from "../side-files.js";
import { ggufSideFiles } from "./gguf-side-files.js";
import { unpackedSources } from "./packed-sources.js";

/** A checkpoint whose tensors are values, however they are stored. */
export interface EncodeBase {
  /** Names and files, as those of the output follow from them. */
  readonly weights: Pick<WeightSource, "location" | "metadata" | "has" | "info" | "names">;
  readonly model: ModelConfig | undefined;
  readonly tensors: readonly { readonly name: string; readonly source: RowSource }[];
  /** Files that are read. */
  readonly inputs: readonly string[];
  readonly notices: readonly string[];
  /** Bytes of its tensors. */
  readonly bytes: number;
  /** Files that go beside the weights, where floats are stored as `dtype`. */
  side(dtype: WeightDType | undefined): SideFile[];
}

const plainSource = ({ file, offset, bytes, dtype, shape }: LocatedTensor): RowSource => ({ shape, dtype, at: { file, offset, bytes } });

/** Opens a checkpoint of safetensors, or a GGUF file, and reads its headers. @throws as `openCheckpoint`, `openGgufPath`, `unpackedSources`, `configOfGguf` */
export const openEncodeBase = (path: string): Promise<EncodeBase> =>
  path.endsWith(".gguf") ? openGgufBase(path) : openSafetensorsBase(path);

async function openSafetensorsBase(path: string): Promise<EncodeBase> {
  const weights = await openCheckpoint(localPath(path));
  try {
    const folder = folderOf(weights.location);
    const model = readModelConfig(folder);
    const unpacked = await unpackedSources(weights, findQuantization(weights, model), model);
    for (const error of unpacked.unread.values()) throw error;
    const names = [...weights.names()];
    const plain = names.filter((name) => !unpacked.parts.has(name));
    return {
      weights,
      model,
      tensors: [
        ...[...unpacked.weights].map(([name, { source }]) => ({ name, source })),
        ...plain.map((name) => ({ name, source: plainSource(weights.info(name)) })),
      ],
      inputs: [...new Set(names.map((name) => weights.info(name).file))],
      notices: weights.warnings,
      bytes: names.reduce((sum, name) => sum + weights.info(name).bytes, 0),
      side: (dtype) => sideFiles(folder, { untie: false, vocabulary: undefined, dtype }, undefined),
    };
  } finally {
    await weights.close();
  }
}

async function openGgufBase(path: string): Promise<EncodeBase> {
  const file = await openGgufPath(localPath(path));
  try {
    const tensors = ggufSources(file);
    const { model, files, notices } = await ggufSideFiles(file, path);
    const located = [...file.tensors.values()];
    return {
      weights: {
        location: path,
        metadata: new Map(),
        names: () => tensors.map(({ name }) => name),
        // None of its files gives its name to one of the output.
        has: () => false,
        info: () => {
          throw new Error("a GGUF file has no tensors of safetensors");
        },
      },
      model,
      tensors,
      inputs: [...new Set(located.map((tensor) => tensor.file))],
      notices,
      bytes: located.reduce((sum, { bytes }) => sum + bytes, 0),
      side: files,
    };
  } finally {
    await file.close();
  }
}
