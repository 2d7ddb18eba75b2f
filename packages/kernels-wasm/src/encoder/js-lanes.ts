import { BINARY_64, BINARY_LANES, type Lanes, saturate, SHIFT_LANES, UNARY_64, UNARY_LANES } from "./lanes.js";

/** 32-bit lanes read as f32 or i32; one lane stands for all. */
export interface Vector {
  readonly f: Float32Array;
  readonly i: Int32Array;
}

export function vector(length: number): Vector {
  const f = new Float32Array(length);
  return { f, i: new Int32Array(f.buffer) };
}

const apply = <A extends { length: number; [i: number]: number }>(
  out: A,
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  f: (a: number, b: number) => number,
): void => {
  const [stepA, stepB] = [a.length === 1 ? 0 : 1, b.length === 1 ? 0 : 1];
  for (let i = 0; i < out.length; i++) out[i] = f(a[i * stepA]!, b[i * stepB]!);
};

const both = (a: { length: number }, b: { length: number }): number => (a.length === 1 ? b.length : a.length);

/** Computes lane operations at once, over vectors of any length. */
export const JS_LANES: Lanes<Vector, Float64Array> = {
  f32(value) {
    const v = vector(1);
    v.f[0] = value;
    return v;
  },
  i32(value) {
    const v = vector(1);
    v.i[0] = value;
    return v;
  },
  unary(name, a) {
    const { from, to, js } = UNARY_LANES[name];
    const out = vector(a.f.length);
    apply(out[to], a[from], a[from], js);
    return out;
  },
  binary(name, a, b) {
    const { from, to, js } = BINARY_LANES[name];
    const out = vector(both(a.f, b.f));
    apply(out[to], a[from], b[from], js);
    return out;
  },
  shift(name, a, by) {
    const out = vector(a.f.length);
    apply(out.i, a.i, [by], SHIFT_LANES[name].js);
    return out;
  },
  select(mask, a, b) {
    const out = vector(Math.max(both(mask.f, a.f), both(a.f, b.f)));
    apply(out.i, mask.i, a.i, (m, x) => m & x);
    const rest = vector(out.f.length);
    apply(rest.i, mask.i, b.i, (m, x) => ~m & x);
    apply(out.i, out.i, rest.i, (x, y) => x | y);
    return out;
  },
  f64: (value) => Float64Array.of(value),
  widen: (a, from) => Float64Array.from(from === "f32" ? a.f : a.i),
  narrow(a, to) {
    const out = vector(a.length);
    if (to === "f32") out.f.set(a);
    else apply(out.i, a, a, saturate);
    return out;
  },
  unary64: (name, a) => a.map((x) => UNARY_64[name].js(x)),
  binary64(name, a, b) {
    const out = new Float64Array(both(a, b));
    apply(out, a, b, BINARY_64[name].js);
    return out;
  },
};
