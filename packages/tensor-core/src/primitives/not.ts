import { sliceEach, type UnaryPrimitive } from "./elementwise.js";

export const not: UnaryPrimitive = {
  name: "not",
  meaning: "logical negation: x = 0",
  group: "unary",
  pointwise: true,
  infer: ([x]) => ({ shape: x!.shape, dtype: "bool" }),
  slice: sliceEach,
  f64: (x) => (x !== 0 ? 0 : 1),
  formula: {
    float: (l, x) => l.flag(l.eq(x!, l.f32(0))),
    integer: (l, x) => l.flag(l.ieq(x!, l.i32(0))),
  },
};
