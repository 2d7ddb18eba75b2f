import { DTypeError } from "./errors.js";
import { meantName } from "./names.js";

/** Storage dtypes of tensors. Computation is f32 (integers: i32) on every backend; the reference computes in f64. */
export const DTYPES = ["f32", "f16", "bf16", "f8e4m3", "f8e5m2", "i32", "i8", "u8", "bool"] as const;

/** The dtypes of tensors: floats, integers and bool. What computes, computes in f32 or i32. */
export type DType = (typeof DTYPES)[number];

/** Bytes of an element, and the place in torch's order of promotion. */
interface Facts {
  readonly bytes: number;
  readonly rank: number;
}

const FACTS: { readonly [name in DType]: Facts } = {
  bool: { bytes: 1, rank: 0 },
  u8: { bytes: 1, rank: 1 },
  i8: { bytes: 1, rank: 2 },
  i32: { bytes: 4, rank: 3 },
  f8e5m2: { bytes: 1, rank: 4 },
  f8e4m3: { bytes: 1, rank: 4 },
  f16: { bytes: 2, rank: 5 },
  bf16: { bytes: 2, rank: 5 },
  f32: { bytes: 4, rank: 6 },
};

/** What to do about a name that is none of a list of dtypes: the one that is most likely meant, and all that there are. */
export function dtypeHint(name: string, names: readonly string[]): string {
  const meant = meantName(name, names);
  return `${meant === undefined ? "" : `did you mean ${JSON.stringify(meant)}? `}There are ${names.join(", ")}`;
}

function factsOf(dtype: DType): Facts {
  if (!Object.hasOwn(FACTS, dtype)) throw new DTypeError(`${JSON.stringify(dtype)} is no dtype`, { hint: dtypeHint(`${dtype}`, DTYPES) });
  return FACTS[dtype];
}

/** Checks that a name is one of `DTYPES`. @throws DTypeError, which says which one is meant */
export function assertDType(dtype: DType): void {
  factsOf(dtype);
}

/** Bytes of one element. @throws DTypeError for what is no dtype */
export function bytesPerElement(dtype: DType): number {
  return factsOf(dtype).bytes;
}

/** True for f32, f16, bf16 and the f8 types. @throws DTypeError for what is no dtype */
export function isFloat(dtype: DType): boolean {
  return factsOf(dtype).rank >= FACTS.f8e5m2.rank;
}

/**
 * The dtype of `a ∘ b`, as torch promotes: bool < integers < floats; two different floats of one
 * size (f16 with bf16, the two f8) and u8 with i8 (→ i32; torch: i16) give the next wider type.
 * @throws DTypeError for what is no dtype
 */
export function promote(a: DType, b: DType): DType {
  const [rankA, rankB] = [factsOf(a).rank, factsOf(b).rank];
  if (a === b) return a;
  if (rankA === rankB) return "f32";
  const [low, high] = rankA < rankB ? [a, b] : [b, a];
  return low === "u8" && high === "i8" ? "i32" : high;
}
