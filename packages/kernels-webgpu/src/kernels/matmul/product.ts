import { contiguousStrides, type Operand, type Program, sizeOf } from "@weft/tensor-core";
import type { Shader } from "../../wgsl/shader.js";
import type { Dispatch, LowerContext } from "../kernel.js";
import { rowReduce } from "../row-reduce/row-reduce.wgsl.js";
import { gemm, tileFor } from "./gemm.wgsl.js";
import { gemv, MAX_ROWS } from "./gemv.wgsl.js";
import type { Product } from "./source.js";

/** The same product with rows and columns exchanged. */
function transposed(p: Product): Product {
  const { epilogue } = p;
  return {
    ...p,
    m: p.n,
    n: p.m,
    terms: p.terms.map(({ a, b, k }) => ({ a: b, b: a, k })),
    swapped: !p.swapped,
    ...(epilogue && {
      epilogue: (shader: Shader) => {
        const inner = epilogue(shader);
        return (value: string, batch: string, row: string, column: string) => inner(value, batch, column, row);
      },
    }),
  };
}

/** Below this many workgroups a long inner dimension is cut up, so that the whole GPU works on it. */
const FEW_GROUPS = 64;
const SHORTEST_CUT = 256;

/** Chooses the kernel: a few rows or columns are vectors, few tiles with a long k are cut along k. */
export function lowerProduct(p: Product, context: LowerContext): Dispatch[] {
  if (sizeOf([...p.batch, p.m, p.n]) === 0) return [];
  if (p.m <= MAX_ROWS) return [gemv(p, context)];
  if (p.n <= MAX_ROWS) return [gemv(transposed(p), context)];
  const tile = tileFor(p, context.limits);
  const batches = sizeOf(p.batch);
  const groups = Math.ceil(p.m / tile.rows) * Math.ceil(p.n / tile.columns) * batches;
  const k = p.terms[0]!.k;
  const cuts = Math.min(32, Math.floor(k / SHORTEST_CUT), Math.ceil((2 * FEW_GROUPS) / groups));
  if (groups >= FEW_GROUPS || cuts < 2 || p.terms.length > 1 || p.epilogue || p.pitch) return [gemm(p, tile, context)];
  const length = batches * p.m * p.n;
  const partial = context.temporary([cuts, length], "f32");
  const sum: Program = {
    shape: [length, cuts],
    reduced: 1,
    instructions: [
      { op: "load", dtype: "f32", input: 0 },
      { op: "reduce", dtype: "f32", how: "sum", a: 0 },
    ],
    outputs: [{ value: 1, perRow: true }],
  };
  const view: Operand = { ...partial, shape: [length, cuts], strides: [1, length] };
  const flat: Operand = { ...p.output, shape: [length], strides: contiguousStrides([length]) };
  return [gemm({ ...p, output: partial }, tile, context, cuts), rowReduce(sum, [view], [flat], context)];
}
