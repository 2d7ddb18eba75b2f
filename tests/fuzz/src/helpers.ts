import {
  cast,
  checkpoint,
  gradients,
  INT8_ROWS,
  loraBank,
  mul,
  multiLora,
  quantLinear,
  sum,
  tanh,
  type Tensor,
  add,
} from "@weft/tensor-core";

/** A function of programs that is no single function of tensor-core, with the code that it is printed as. */
interface Helper {
  readonly run: (...args: never[]) => unknown;
  readonly code: string;
  /** What the code imports. */
  readonly uses: readonly string[];
}

const helper = <A extends readonly unknown[]>(run: (...args: A) => unknown, code: string, uses: readonly string[]): Helper => ({
  run: run as (...args: never[]) => unknown,
  code,
  uses,
});

export const HELPERS: Readonly<Record<string, Helper>> = {
  gradientsOf: helper(
    (y: Tensor, weights: Tensor, wrt: readonly Tensor[]) => gradients(sum(mul(cast(y, "f32"), weights)), wrt),
    '((y, weights, wrt) => gradients(sum(mul(cast(y, "f32"), weights)), wrt))',
    ["gradients", "sum", "mul", "cast"],
  ),
  checkpointed: helper(
    (x: Tensor, w: Tensor) => checkpoint((a: Tensor, b: Tensor) => tanh(add(mul(a, b), a)))(x, w),
    "checkpoint((a, b) => tanh(add(mul(a, b), a)))",
    ["checkpoint", "tanh", "add", "mul"],
  ),
  int8Linear: helper(
    (x: Tensor, codes: Tensor, absmax: Tensor) =>
      quantLinear(x, { format: INT8_ROWS, shape: codes.shape as [number, number], parts: { codes, absmax } }),
    "((x, codes, absmax) => quantLinear(x, { format: INT8_ROWS, shape: codes.shape, parts: { codes, absmax } }))",
    ["quantLinear", "INT8_ROWS"],
  ),
  multiLoraOf: helper(
    (x: Tensor, index: Tensor, As: readonly Tensor[], Bs: readonly Tensor[], scales: readonly number[]) =>
      multiLora(x, index, loraBank(As, Bs, scales)),
    "((x, index, As, Bs, scales) => multiLora(x, index, loraBank(As, Bs, scales)))",
    ["multiLora", "loraBank"],
  ),
};
