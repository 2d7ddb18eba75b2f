import { add, bitAnd, bitOr, mul, shiftLeft, shiftRight, sub } from "../ops/elementwise.js";
import type { Attrs } from "../attrs.js";
import type { CompositeCall } from "../backend.js";
import { callComposite, type Composite } from "../composite.js";
import type { DType } from "../dtype.js";
import type { AffineForm, MatrixShape, Parts } from "../formats/format.js";
import type { Tensor } from "../graph.js";
import { cast } from "../ops/cast.js";
import { full } from "../ops/create.js";
import { matmul } from "../ops/linear.js";
import { broadcastTo, concat, pad, reshape, slice, swapLast } from "../ops/movement.js";
import { sizeOf } from "../shape.js";

/** Attributes of `affineLinear`. */
export type AffineLinearAttrs = Attrs & {
  readonly bits: 4 | 8;
  /** Neighbours in a row that share a scale: a power of two from 16 to 256. */
  readonly block: number;
  /** Whether zero points are given, and offsets; a zero point that is not is 2^(bits - 1). */
  readonly zeros: boolean;
  readonly offsets: boolean;
  readonly dtype: DType;
};

/** Numbers of `bits` bits, the first in the lowest of a byte, along the last axis; i32 [.., n]. */
function unpack(bytes: Tensor, bits: number): Tensor {
  const wide = cast(bytes, "i32");
  if (bits === 8) return wide;
  const column = reshape(wide, [...wide.shape, 1]);
  return reshape(concat([bitAnd(column, 15), shiftRight(column, 4)], -1), [...wide.shape.slice(0, -1), 2 * wide.shape.at(-1)!]);
}

/** `count` zeros behind the last axis. */
const endPadded = (t: Tensor, count: number): Tensor =>
  pad(
    t,
    t.shape.map(() => 0),
    t.shape.map((_, i) => (i === t.shape.length - 1 ? count : 0)),
  );

/** The opposite of `unpack`: u8 [.., ⌈n · bits / 8⌉]; what is missing to a whole byte is 0. */
function pack(numbers: Tensor, bits: number): Tensor {
  if (bits === 8) return cast(numbers, "u8");
  const last = numbers.shape.length - 1;
  const n = numbers.shape[last]!;
  const even = endPadded(numbers, n % 2);
  const pairs = reshape(even, [...numbers.shape.slice(0, last), Math.ceil(n / 2), 2]);
  const part = (i: number): Tensor =>
    reshape(slice(pairs, [...pairs.shape.slice(0, -1).map(() => undefined), [i, i + 1]]), pairs.shape.slice(0, -1));
  return cast(bitOr(part(0), shiftLeft(part(1), 4)), "u8");
}

/**
 * `affineLinear`: x·Wᵀ with w[o, i] = scales[o, b] · (codes[o, i] - zeros[o, b]) + offsets[o, b], b = ⌊i / block⌋. Plans have it in place of products with packed
 * weights of an `AffineForm`, where a backend claims it.
 *
 * Inputs x [m, in]; codes u8 [out, blocks, block · bits / 8], the first code of a byte in its low bits, the last block filled up with 0; scales f32 [out, blocks];
 * zeros u8 [out, ⌈blocks · bits / 8⌉] if `zeros`; f32 [out, blocks] if `offsets`. Result [m, out].
 * @see onnxruntime `com.microsoft.MatMulNBits`, whose layout this is
 */
const AFFINE_LINEAR: Composite & { readonly name: "affineLinear" } = {
  name: "affineLinear",
  flops: ([x], [y]) => 2 * sizeOf(y!.shape) * x!.shape[1]!,
  decompose([x, codes, scales, ...more], attrs) {
    const { bits, block, zeros, offsets, dtype } = attrs as AffineLinearAttrs;
    const [out, blocks] = scales!.shape as [number, number];
    const each = (t: Tensor): Tensor => reshape(t, [out, blocks, 1]);
    const zero = zeros ? each(slice(unpack(more[0]!, bits), [undefined, [0, blocks]])) : 2 ** (bits - 1);
    const whole = mul(cast(sub(unpack(codes!, bits), zero), "f32"), each(scales!));
    const shifted = offsets ? add(whole, each(more.at(-1)!)) : whole;
    const weight = slice(reshape(shifted, [out, blocks * block]), [undefined, [0, x!.shape[1]!]]);
    return [cast(matmul(x!, swapLast(weight)), dtype)];
  },
};

/** Blocks that kernels take: powers of two between these. */
const [SMALLEST, LARGEST] = [16, 256];

/** The largest block that lies within groups; undefined if none does. */
function blockOf(group: number, width: number): number | undefined {
  const whole = group < 0 || group >= width;
  let block = LARGEST;
  while (block > SMALLEST && (whole ? block / 2 >= width : group % block !== 0)) block /= 2;
  return whole || group % block === 0 ? block : undefined;
}

/** Codes of more than four bits as the sum of two of four: 16 · (code >> 4) + (code & 15), zero points likewise. */
function halves(form: AffineForm): readonly [high: AffineForm, low: AffineForm] {
  const { zeros } = form;
  const high = (t: Tensor): Tensor => shiftRight(t, 4);
  const low = (t: Tensor): Tensor => bitAnd(t, 15);
  const of = (half: (t: Tensor) => Tensor, plain: (n: number) => number): Pick<AffineForm, "codes" | "zeros"> => ({
    codes: (parts, shape) => half(form.codes(parts, shape)),
    zeros: typeof zeros === "number" ? plain(zeros) : (parts, shape) => half(zeros(parts, shape)),
  });
  const { minima: _, ...rest } = form;
  return [
    { ...rest, bits: 4, ...of(high, (n) => n >> 4), scales: (parts, shape) => mul(form.scales(parts, shape), 16) },
    { ...form, bits: 4, ...of(low, (n) => n & 15) },
  ];
}

/** The product with codes of 4 or 8 bits as one call, if the backend takes it. */
function call(
  x: Tensor,
  form: AffineForm,
  bits: 4 | 8,
  parts: Parts,
  shape: MatrixShape,
  y: Tensor,
  claims: (call: CompositeCall) => boolean,
): Tensor | undefined {
  const [out, width] = shape;
  const block = blockOf(form.group, width);
  if (block === undefined) return undefined;
  const blocks = Math.ceil(width / block);
  const { zeros: zero, minima } = form;
  const middle = 2 ** (bits - 1);
  const zeros = typeof zero !== "number" || (zero !== middle && !minima);
  const attrs: AffineLinearAttrs = { bits, block, zeros, offsets: minima !== undefined, dtype: y.dtype };
  const specs = [
    x,
    { shape: [out, blocks, (block * bits) / 8], dtype: "u8" },
    { shape: [out, blocks], dtype: "f32" },
    ...(zeros ? [{ shape: [out, Math.ceil((blocks * bits) / 8)], dtype: "u8" } as const] : []),
    ...(minima ? [{ shape: [out, blocks], dtype: "f32" } as const] : []),
  ] as const;
  if (!claims({ name: AFFINE_LINEAR.name, attrs, inputs: specs.map((s) => ({ shape: s.shape, dtype: s.dtype })), outputs: [y] }))
    return undefined;
  /** What groups have, for each of their blocks. */
  const spread = (t: Tensor): Tensor => {
    const groups = t.shape[1]!;
    const per = groups === 1 ? blocks : form.group / block;
    return slice(reshape(broadcastTo(reshape(t, [out, groups, 1]), [out, groups, per]), [out, groups * per]), [undefined, [0, blocks]]);
  };
  const codes = form.codes(parts, shape);
  const filled = endPadded(codes, blocks * block - width);
  const scales = spread(form.scales(parts, shape));
  const inputs = [x, pack(reshape(filled, [out, blocks, block]), bits), scales];
  if (zeros) inputs.push(pack(typeof zero === "number" ? full([out, blocks], zero, "i32") : spread(zero(parts, shape)), bits));
  if (minima) {
    const least = spread(minima(parts, shape));
    inputs.push(typeof zero !== "number" || zero === middle ? least : add(least, mul(scales, middle - zero)));
  }
  return callComposite(AFFINE_LINEAR, inputs, attrs)[0];
}

/**
 * x·Wᵀ, x [m, in], with a packed weight of an affine form, as a call of `affineLinear`, or as two with half of the bits each, where the backend takes those;
 * undefined if it does not.
 */
export function affineProduct(
  x: Tensor,
  form: AffineForm,
  parts: Parts,
  shape: MatrixShape,
  y: Tensor,
  claims: (call: CompositeCall) => boolean,
): Tensor | undefined {
  if (shape.includes(0) || x.size === 0) return undefined;
  if (form.bits <= 4) return call(x, form, 4, parts, shape, y, claims);
  const whole = call(x, form, 8, parts, shape, y, claims);
  if (whole) return whole;
  const [high, low] = halves(form).map((half) => call(x, half, 4, parts, shape, y, claims));
  return high && low && add(high, low);
}
