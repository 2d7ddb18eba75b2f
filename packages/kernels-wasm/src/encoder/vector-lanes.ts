import { LANE_OPS, type Lanes, lanesOf, SCALAR_LANES } from "@weft/tensor-core/program";

/** 32-bit lanes read as f32 or i32 (conditions: all bits or none); one lane stands for all. */
export interface Vector {
  readonly f: Float32Array;
  readonly i: Int32Array;
}

export function vector(length: number): Vector {
  const f = new Float32Array(length);
  return { f, i: new Int32Array(f.buffer) };
}

type Read = (at: number) => number | boolean;

/** Elements of one operand by its kind in `LANE_OPS`. */
function reader({ f, i }: Vector, kind: string | undefined): Read {
  const step = f.length === 1 ? 0 : 1;
  if (kind === "f") return (at) => f[at * step]!;
  return kind === "i" ? (at) => i[at * step]! : (at) => i[at * step] !== 0;
}

/** Lanes that compute at once, over vectors of any length, element by element with `SCALAR_LANES`. */
export const VECTOR_LANES: Lanes<Vector, Vector, Vector> = lanesOf<Vector>({
  f32(value) {
    const out = vector(1);
    out.f[0] = value;
    return out;
  },
  i32(value) {
    const out = vector(1);
    out.i[0] = value;
    return out;
  },
  op(name, operands) {
    if (name === "bits" || name === "float") return operands[0]!; // a number would not keep the bits of NaN
    const kinds = LANE_OPS[name];
    const compute = SCALAR_LANES[name] as (...x: (number | boolean)[]) => number | boolean;
    const reads = operands.map((v, k) => reader(v, kinds[k]));
    const out = vector(operands.reduce((n, v) => (n === 1 ? v.f.length : n), 1));
    const result = kinds.endsWith("f") ? out.f : out.i;
    for (let at = 0; at < result.length; at++) {
      const value = compute(...reads.map((read) => read(at)));
      result[at] = typeof value === "number" ? value : value ? -1 : 0;
    }
    return out;
  },
  shift(name, a, by) {
    const out = vector(a.i.length);
    a.i.forEach((x, at) => (out.i[at] = SCALAR_LANES[name](x, by)));
    return out;
  },
});
