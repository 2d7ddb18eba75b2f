import {
  add,
  CapabilityError,
  type Field,
  greaterEqual,
  iota,
  equal,
  logicalAnd,
  max,
  reshape,
  ShapeError,
  slice,
  type Tensor,
  where,
  zeros,
} from "@weft/tensor-core";

/** `alora_invocation_tokens` of a LoRA config: with it the adapter is an activated LoRA (Greenewald et al. 2025). */
export const INVOCATION_FIELD: Field = {
  fallback: null,
  check: (v) => v === null || (Array.isArray(v) && v.every((id) => Number.isInteger(id) && id >= 0)),
  expected: "a list of token ids",
};

interface MaybeActivated {
  readonly aloraInvocationTokens?: readonly number[] | null;
}

/** The invocation tokens of a config; undefined for a LoRA that acts everywhere. */
export function invocationTokens({ aloraInvocationTokens: tokens }: MaybeActivated): readonly number[] | undefined {
  return tokens && tokens.length > 0 ? tokens : undefined;
}

/**
 * Where an activated LoRA begins to act in one sequence: the start of the last occurrence of its invocation tokens; undefined without any, where
 * the base runs alone. Tokens generated later are behind it.
 * @see peft `tuners/lora/variants.py` calculate_alora_offsets
 */
export function invocationStart(ids: ArrayLike<number>, tokens: readonly number[]): number | undefined {
  for (let start = ids.length - tokens.length; start >= 0; start--) if (tokens.every((token, i) => ids[start + i] === token)) return start;
  return undefined;
}

/**
 * Where an activated LoRA acts, for `Attached.active`: in each row from the last occurrence of the tokens to the end, nowhere without one.
 * Lazy, so that a compiled pass follows its ids.
 * @param inputIds i32 [batch, length]
 * @returns bool [batch, length, 1]
 * @throws ShapeError
 */
export function invocationMask(inputIds: Tensor, tokens: readonly number[]): Tensor {
  if (inputIds.shape.length !== 2) throw new ShapeError(`invocationMask: inputIds is [${inputIds.shape}], expected [batch, length]`);
  const [batch, length] = inputIds.shape as [number, number];
  const starts = length - tokens.length + 1;
  if (starts < 1) return zeros([batch, length, 1], "bool");
  const hit = tokens
    .map((token, i) => equal(slice(inputIds, [undefined, [i, i + starts]]), token))
    .reduce((all, next) => logicalAnd(all, next));
  // One past each start, so that 0 stands for none.
  const last = max(where(hit, add(iota([batch, starts], 1), 1), 0), { axes: [1], keepDims: true });
  const position = add(iota([batch, length], 1), 1);
  return reshape(logicalAnd(greaterEqual(position, last), greaterEqual(last, 1)), [batch, length, 1]);
}

/** @throws CapabilityError for an activated LoRA */
export function refuseActivated(config: MaybeActivated): void {
  if (invocationTokens(config))
    throw new CapabilityError(
      "an activated LoRA (alora_invocation_tokens) acts behind its invocation tokens only: it cannot be merged into a weight",
      {
        hint: "keep the adapter unmerged",
      },
    );
}
