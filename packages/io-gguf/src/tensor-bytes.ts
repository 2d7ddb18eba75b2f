import { GGML_TYPES, type GgmlTypeName } from "./ggml-types.js";
import { errorAt, type Place } from "@weft/io-safetensors";
import { MAX_DIMENSIONS } from "./limits.js";

const MOST = BigInt(Number.MAX_SAFE_INTEGER);

/**
 * Bytes of a tensor's data.
 * @param shape row-major, the innermost axis last
 * @throws FormatError kinds `dims` (more than 4 axes, or one that is negative), `block` (rows that are no whole blocks), `overflow` (an axis or bytes beyond
 *   2^53, which numbers do not count)
 */
export function tensorBytes(shape: readonly (number | bigint)[], name: GgmlTypeName, place: Place): number {
  if (shape.length > MAX_DIMENSIONS) throw errorAt("dims", `${shape.length} axes, at most ${MAX_DIMENSIONS} are allowed`, place);
  const axes = shape.map((axis) => {
    if (axis < 0 || (typeof axis === "number" && !Number.isInteger(axis)))
      throw errorAt("dims", `shape [${shape}], expected whole numbers from 0`, place);
    return BigInt(axis);
  });
  const { elements, bytes } = GGML_TYPES[name];
  const row = axes.at(-1) ?? 1n;
  if (row % BigInt(elements) !== 0n) throw errorAt("block", `rows of ${row} elements, ${name} has blocks of ${elements}`, place);
  const count = axes.reduce((product, axis) => product * axis, 1n);
  const size = (count / BigInt(elements)) * BigInt(bytes);
  if (size > MOST || axes.some((axis) => axis > MOST)) throw errorAt("overflow", `shape [${shape}] of ${name} takes ${size} bytes`, place);
  return Number(size);
}

/** The next multiple of an alignment. */
export const padded = (at: number, alignment: number): number => Math.ceil(at / alignment) * alignment;
