import { alignmentOf, type GgufMetadata, layoutGguf } from "@weft/io-gguf";
import { bytesPer, type Cost, GGUF_TYPES, type GgufType } from "@weft/quant-nf4-awq";
import { chooseWithin } from "../../quantize/budget.js";
import type { EncodeTo } from "../../quantize/encode-job.js";
import { denseTypeOf, fitting } from "../../quantize/gguf-mixtures.js";
import { relativeError } from "../../quantize/error-job.js";
import type { RowSource } from "../../quantize/row-source.js";
import type { EncodeJobOptions } from "./run-encode.js";
import { runErrors } from "./run-errors.js";

/** A tensor of the file to be. */
export interface TypedTensor {
  readonly name: string;
  readonly type: GgufType;
  readonly source: RowSource;
}

interface TypeCost extends Cost {
  readonly type: GgufType;
}

/** Types that are measured, from the smallest to the largest; the weight's own dtype comes last. */
const LADDER: readonly GgufType[] = ["Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "Q8_0"];

/**
 * Types with which a file stays within so many bytes, by the error that each leaves of each tensor: Σ (‖Ŵ - W‖ / ‖W‖)² is the smallest that there is.
 * @param tensors with the types of any mixture: those of numbers stay
 * @param encode how a tensor is stored as a type
 * @throws ConfigError if nothing is small enough
 */
export async function typesWithin<T extends TypedTensor>(
  budget: number,
  tensors: readonly T[],
  metadata: GgufMetadata,
  encode: (tensor: T, type: GgufType) => EncodeTo,
  importance: (tensor: T) => Float32Array | undefined,
  options: EncodeJobOptions,
): Promise<T[]> {
  const open = tensors.filter(({ type }) => type !== "F32");
  const typesOf = ({ source: { shape, dtype } }: T): GgufType[] => [
    ...new Set([...LADDER.map((type) => fitting(type, shape.at(-1)!)), denseTypeOf(dtype)]),
  ];
  /** Where tensors begin in a file is a multiple of it. */
  const alignment = alignmentOf(metadata);
  const bytesOf = (type: GgufType, { source: { shape } }: T): number =>
    Math.ceil(bytesPer(GGUF_TYPES[type], [shape[0]!, shape[1]!]) / alignment) * alignment;
  const smallest = new Map(
    open.map((tensor) => [tensor.name, typesOf(tensor).reduce((a, b) => (bytesOf(b, tensor) < bytesOf(a, tensor) ? b : a))]),
  );
  const sizeOf = (types: ReadonlyMap<string, GgufType>): number =>
    layoutGguf(
      metadata,
      tensors.map(({ name, type, source: { shape } }) => ({ name, type: types.get(name) ?? type, shape })),
    ).size;
  const least = sizeOf(smallest);
  const fixed = least - open.reduce((sum, tensor) => sum + bytesOf(smallest.get(tensor.name)!, tensor), 0);
  const within = { budget, least, fixed, what: "file" };
  // A budget that nothing fits into needs no measuring.
  if (least > budget) chooseWithin<TypeCost>([], within);
  const sums = await runErrors(
    "measure",
    open.map((tensor) => {
      const own = importance(tensor);
      return {
        name: tensor.name,
        source: tensor.source,
        candidates: typesOf(tensor).map((type) => encode(tensor, type)),
        ...(own && { importance: own }),
      };
    }),
    options,
  );
  const layers = open.map((tensor, i) => ({
    path: tensor.name,
    choices: typesOf(tensor).map((type, k): TypeCost => ({ type, bytes: bytesOf(type, tensor), error: relativeError(sums[i]!, k) ** 2 })),
  }));
  const { formats } = chooseWithin(layers, within);
  return tensors.map((tensor) => ({ ...tensor, type: formats.get(tensor.name)?.type ?? tensor.type }));
}
