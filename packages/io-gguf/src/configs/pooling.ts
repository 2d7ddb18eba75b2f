import { CapabilityError } from "@weft/tensor-core";
import type { GgufFile } from "../gguf-file.js";
import { type Json, Metadata } from "./read-metadata.js";

/** How the vector of a text follows from those of its tokens, as sentence encoders do it: their mean, the first or the last. */
export type GgufPooling = "mean" | "cls" | "last";

/** llama.cpp's numbers, and fields of sentence-transformers' `1_Pooling/config.json`, by which the converter looks in this order. */
const POOLINGS: readonly (readonly [pooling: GgufPooling, type: number, field: string])[] = [
  ["mean", 1, "pooling_mode_mean_tokens"],
  ["cls", 2, "pooling_mode_cls_token"],
  ["last", 3, "pooling_mode_lasttoken"],
];

/** `pooling_type` of metadata for sentence-transformers' pooling config. @param file what messages call it @throws CapabilityError kind `unsupported-model` @see llama.cpp `conversion/base.py` _try_set_pooling_type */
export function poolingType(config: Json, file: string): number {
  const found = POOLINGS.find(([, , field]) => config[field] === true) ?? POOLINGS.find(([name]) => config["pooling_mode"] === name);
  if (found) return found[1];
  throw new CapabilityError(`${file}: GGUF files say of poolings only ${POOLINGS.map(([, , field]) => field).join(", ")}`, {
    kind: "unsupported-model",
    file,
  });
}

/** The pooling that a file names; undefined where it names none. @throws CapabilityError kind `unsupported-model` for another than these */
export function poolingOfGguf(file: GgufFile): GgufPooling | undefined {
  const read = new Metadata(file);
  const type = read.own("pooling_type");
  if (type === undefined || type === 0) return undefined;
  const found = POOLINGS.find(([, number]) => number === type);
  if (found) return found[0];
  throw read.refusal(`pooling_type is ${type}; there are ${POOLINGS.map(([name, number]) => `${number} (${name})`).join(", ")}`);
}

/** sentence-transformers' pooling config. @throws FormatError kind `key` */
export const poolingConfig = (file: GgufFile, pooling: GgufPooling): Json => ({
  word_embedding_dimension: new Metadata(file).number("embedding_length"),
  ...Object.fromEntries(POOLINGS.map(([name, , field]) => [field, name === pooling])),
});
