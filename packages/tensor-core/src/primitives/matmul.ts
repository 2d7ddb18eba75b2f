import { whole } from "../box.js";
import { isFloat, promote } from "../dtype.js";
import { DTypeError, ShapeError } from "../errors.js";
import { sameShape, sizeOf } from "../shape.js";
import type { Primitive } from "./primitive.js";

/** […, M, K] · […, K, N], f32 accumulation; the two float dtypes may differ. */
export const matmul: Primitive = {
  name: "matmul",
  group: "matmul",
  anyStrides: true,
  infer: ([a, b]) => {
    const [x, y] = [a!, b!];
    const rank = x.shape.length;
    const fits =
      rank >= 2 &&
      rank === y.shape.length &&
      x.shape[rank - 1] === y.shape[rank - 2] &&
      sameShape(x.shape.slice(0, -2), y.shape.slice(0, -2));
    if (!fits) throw new ShapeError(`matmul: shapes [${x.shape}] and [${y.shape}] do not fit; expected […, M, K] and […, K, N]`);
    if (!isFloat(x.dtype) || !isFloat(y.dtype)) throw new DTypeError(`matmul: expected floats, got ${x.dtype} and ${y.dtype}`);
    return { shape: [...x.shape.slice(0, -1), y.shape[rank - 1]!], dtype: promote(x.dtype, y.dtype) };
  },
  gradient: ({ inputs: [a, b] }, dy, o) => [o.cast(o.matmul(dy, o.swapLast(b!)), a!.dtype), o.cast(o.matmul(o.swapLast(a!), dy), b!.dtype)],
  slice: ({ inputs: [a] }, box) => {
    const lead = box.slice(0, -2);
    const [rows, columns] = [box.at(-2)!, box.at(-1)!];
    const k = whole(a!.shape.at(-1)!);
    return {
      boxes: [
        [...lead, rows, k],
        [...lead, k, columns],
      ],
    };
  },
  reference: ([a, b], _, out) => {
    const [m, n] = out.shape.slice(-2) as [number, number];
    const k = a!.shape.at(-1)!;
    const result = new Float64Array(sizeOf(out.shape));
    for (let batch = 0; batch < result.length / (m * n || 1); batch++) {
      for (let i = 0; i < m; i++) {
        for (let p = 0; p < k; p++) {
          const x = a!.values[(batch * m + i) * k + p]!;
          for (let j = 0; j < n; j++) result[(batch * m + i) * n + j]! += x * b!.values[(batch * k + p) * n + j]!;
        }
      }
    }
    return result;
  },
  flops: ([a], [y]) => 2 * sizeOf(y!.shape) * a!.shape.at(-1)!,
};
