import type { DType } from "@weft/tensor-core";
import type { Lanes } from "./lanes.js";

interface SmallFloat {
  /** Bits from the last place of the format's mantissa to that of f32's. */
  readonly shift: number;
  readonly bias: number;
  /** Largest finite magnitude; what larger ones become; NaN; the sign bit. All as bits of the format. */
  readonly maxFinite: number;
  readonly overflow: number;
  readonly nan: number;
  readonly sign: number;
}

const SMALL: Partial<Record<DType, SmallFloat>> = {
  f16: { shift: 13, bias: 15, maxFinite: 0x7bff, overflow: 0x7c00, nan: 0x7e00, sign: 15 },
  f8e4m3: { shift: 20, bias: 7, maxFinite: 0x7e, overflow: 0x7e, nan: 0x7f, sign: 7 },
  f8e5m2: { shift: 21, bias: 15, maxFinite: 0x7b, overflow: 0x7c, nan: 0x7f, sign: 7 },
};

/** Raw stored bits (zero-extended; i8 sign-extended) to the register: f32, or i32 for integers and bool. */
export function decodeLanes<V, D>(l: Lanes<V, D>, raw: V, dtype: DType): V {
  if (dtype === "bool") return l.shift("shrU", l.binary("ine", raw, l.i32(0)), 31);
  if (dtype === "bf16") return l.shift("shl", raw, 16);
  const small = SMALL[dtype];
  if (!small) return raw;
  const magnitude = l.binary("and", raw, l.i32((1 << small.sign) - 1));
  // Moving the exponent by a product is right for subnormals too; Inf and NaN then need all exponent bits.
  const scaled = l.binary("mul", l.shift("shl", magnitude, small.shift), l.f32(2 ** (127 - small.bias)));
  const special = l.binary(
    "and",
    l.binary("igt", magnitude, l.i32(small.maxFinite)),
    l.i32(small.overflow > small.maxFinite ? 0x7f800000 : 0x7fc00000),
  );
  const sign = l.shift("shl", l.shift("shrU", raw, small.sign), 31);
  return l.binary("or", l.binary("or", scaled, special), sign);
}

/** The register to stored bits in the low end of each lane, nearest even. */
export function encodeLanes<V, D>(l: Lanes<V, D>, value: V, dtype: DType): V {
  if (dtype === "bf16") {
    const high = l.shift("shrU", value, 16);
    const odd = l.binary("and", high, l.i32(1));
    const rounded = l.shift("shrU", l.binary("iadd", l.binary("iadd", value, l.i32(0x7fff)), odd), 16);
    const nan = l.binary("or", l.binary("and", high, l.i32(0x8000)), l.i32(0x7fc0));
    return l.select(l.binary("ne", value, value), nan, rounded);
  }
  const small = SMALL[dtype];
  if (small) return encodeSmall(l, value, small);
  return dtype === "i8" || dtype === "u8" ? l.binary("and", value, l.i32(0xff)) : value;
}

function encodeSmall<V, D>(l: Lanes<V, D>, value: V, { shift, bias, maxFinite, overflow, nan, sign }: SmallFloat): V {
  const magnitude = l.binary("and", value, l.i32(0x7fffffff));
  const odd = l.binary("and", l.shift("shrU", magnitude, shift), l.i32(1));
  const rebased = l.binary("iadd", magnitude, l.i32((1 << (shift - 1)) - 1 - ((127 - bias) << 23)));
  const normal = l.shift("shrU", l.binary("iadd", rebased, odd), shift);
  // Below the normal range: the sum with a power of two whose last place is the format's smallest step rounds for us.
  const magic = 2 ** (1 - bias + shift);
  const magicBits = (128 - bias + shift) << 23;
  const tiny = l.binary("isub", l.binary("add", magnitude, l.f32(magic)), l.i32(magicBits));
  let bits = l.select(l.binary("ilt", magnitude, l.i32((128 - bias) << 23)), tiny, normal);
  bits = l.select(l.binary("igt", bits, l.i32(maxFinite)), l.i32(overflow), bits);
  bits = l.select(l.binary("igt", magnitude, l.i32(0x7f800000)), l.i32(nan), bits);
  return l.binary("or", bits, l.shift("shl", l.shift("shrU", value, 31), sign));
}
