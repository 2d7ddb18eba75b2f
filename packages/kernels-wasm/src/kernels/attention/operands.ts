import { attentionLimits, bytesPerElement, isContiguous, type Operand } from "@weft/tensor-core";
import { addressOf, type CompositeStep, formatCode, type LowerContext, type Run } from "../../lower/context.js";
import { lowerCopy } from "../../lower/fused.js";

/** Elements of a row in scratch memory: whole tiles of 8 columns. */
export const pitchOf = (width: number): number => Math.ceil(width / 8) * 8;

/** As many rows of `pitch` elements as `elements` hold, in whole tiles of 4, up to `most`. */
export const rowsWithin = (elements: number, pitch: number, most: number): number =>
  Math.min(most, Math.floor(elements / Math.max(1, pitch) / 4) * 4);

/** The operand itself if the kernels can read it: [.., .., .., width] with neighbours of a row side by side, others dense. Else a copy, made by a run that is added to `before`. */
export function inRows(x: Operand, context: LowerContext, before: Run[]): Operand {
  const fits = x.shape.length === 4 ? x.strides[3] === 1 || x.shape[3]! <= 1 : isContiguous(x.shape, x.strides);
  if (fits) return x;
  const copy = context.temporary(x.shape, x.dtype);
  before.push(lowerCopy(x, copy, context));
  return copy;
}

type RowArguments<N extends string> = { readonly [field in N | `${N}${"Batch" | "Head" | "Row" | "Format" | "Width"}`]: number };

/** The arguments of one operand [batch, head, row, width], as the class `Rows` has them; its address is set by the run. */
export function rowArguments<N extends string>(name: N, x: Operand): RowArguments<N> {
  const [batch, head, row] = x.strides.map((s) => s * bytesPerElement(x.dtype));
  return {
    [name]: 0,
    [`${name}Batch`]: batch,
    [`${name}Head`]: head,
    [`${name}Row`]: row,
    [`${name}Format`]: formatCode(x.dtype),
    [`${name}Width`]: x.shape[3],
  } as RowArguments<N>;
}

/** The arguments that both directions share, as the class `Sight` has them. */
export interface Sight {
  readonly shared: number;
  readonly groups: number;
  readonly queries: number;
  readonly keys: number;
  readonly causal: number;
  readonly scale: number;
  readonly mask: number;
  readonly maskBatch: number;
  readonly maskQuery: number;
  readonly maskKey: number;
  readonly lengths: number;
}

/** @returns the arguments, and what sets the addresses of mask and lengths in a block of them */
export function sightArguments(
  { inputs, attrs }: CompositeStep,
  context: LowerContext,
  before: Run[],
): {
  readonly values: Sight;
  readonly placeLimits: (args: { set(name: "mask" | "lengths", value: number): void }, addresses: Int32Array) => void;
} {
  const [q, k] = inputs as [Operand, Operand];
  const { mask, lengths: given } = attentionLimits(inputs);
  const lengths = given && inRows(given, context, before);
  const [, heads, queries] = q.shape as [number, number, number];
  const [, groups, keys] = k.shape as [number, number, number];
  // A mask broadcasts to [B, 1, T, S].
  const step = (fromEnd: number): number => {
    const axis = (mask?.shape.length ?? 0) - fromEnd;
    return mask && axis >= 0 && mask.shape[axis] !== 1 ? mask.strides[axis]! : 0;
  };
  return {
    values: {
      shared: heads / groups,
      groups,
      queries,
      keys,
      causal: attrs.causal ? 1 : 0,
      scale: attrs.scale as number,
      mask: 0,
      maskBatch: step(4),
      maskQuery: step(2),
      maskKey: step(1),
      lengths: 0,
    },
    placeLimits(args, addresses) {
      if (mask) args.set("mask", addressOf(mask, addresses));
      if (lengths) args.set("lengths", addressOf(lengths, addresses));
    },
  };
}
