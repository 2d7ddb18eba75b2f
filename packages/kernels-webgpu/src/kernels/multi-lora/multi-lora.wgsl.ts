import { type CompositeCall, isFloat, type Operand, sizeOf } from "@weft/tensor-core";
import type { Shader } from "../../wgsl/shader.js";
import type { CompositeKernel } from "../kernel.js";
import { lowerProduct } from "../matmul/product.js";
import { matrix, type Source } from "../matmul/source.js";
import { reshaped } from "../views.js";

/** Claimed where f32 in between is at least as exact as the roundings of the decomposition. */
function claims({ inputs, attrs }: CompositeCall): boolean {
  const [x, index, a, b] = inputs;
  const exact = a!.dtype === "f32" || a!.dtype === x!.dtype;
  return [x, a, b].every((t) => isFloat(t!.dtype)) && index!.dtype === "i32" && exact && (attrs.rank as number) > 0;
}

/**
 * `fn adapter_of(row)`: the adapter of a row, -1 for none; `fn first_rank(row)`: where it begins in the bank; `fn rank_of(row)`: how many rows it has
 * there, 0 without one.
 */
function declareLookUps(shader: Shader, index: Operand, starts: Operand): void {
  const [picks, first] = [shader.input(index), shader.input(starts)];
  const [at, from] = [shader.u32(index.offset), shader.u32(starts.offset)];
  shader.declare(`fn adapter_of(row: u32) -> i32 {
  let adapter = ${picks.load(`${at} + row`)};
  return select(adapter, -1, adapter < 0 || u32(adapter) >= ${shader.u32(starts.shape[0]! - 1)});
}
fn first_rank(row: u32) -> u32 { return u32(${first.load(`${from} + u32(max(adapter_of(row), 0))`)}); }
fn rank_of(row: u32) -> u32 {
  if (adapter_of(row) < 0) { return 0u; }
  return u32(${first.load(`${from} + u32(adapter_of(row)) + 1u`)}) - first_rank(row);
}`);
}

/** A matrix per row of the batch inside a bank [Σr, columns]: the rows of its adapter, and zeros up to the largest rank. What lies behind them belongs to the next adapter. */
function ofAdapter(bank: Operand, index: Operand, starts: Operand, role: "r" | "k"): Source {
  const [total, columns] = bank.shape as [number, number];
  const [rank, column] = role === "r" ? ["r", "k"] : ["k", "r"];
  return {
    operand: bank,
    batchStrides: [0],
    along: role === "r" ? "k" : "r",
    base(shader, batch) {
      declareLookUps(shader, index, starts);
      shader.declare(`var<private> ranks: u32;
fn own_ranks(row: u32) -> u32 {
  ranks = rank_of(row);
  return first_rank(row);
}`);
      return `own_ranks(${batch})`;
    },
    element: (shader, ref) => `if (${rank} >= ranks || base + ${rank} >= ${shader.u32(total)}) { return 0.0; }
return ${ref.load(`${shader.u32(bank.offset)} + (base + ${rank}) * ${shader.u32(columns)} + ${column}`)};`,
  };
}

/**
 * `multiLora`: two products with a matrix per row of the batch, which is read where it lies in the bank: no copies, and the work of
 * the largest rank, whatever the number of adapters. Ranks behind the row's own are set to 0 between the products.
 */
export const multiLora: CompositeKernel = {
  claims,
  lower({ inputs, outputs, attrs }, context) {
    const [x, index, a, b, scales, starts] = inputs as [Operand, Operand, Operand, Operand, Operand, Operand];
    const [count, width, out, rank] = [x.shape[0]!, a.shape[1]!, b.shape[1]!, attrs.rank as number];
    const tokens = sizeOf(x.shape) / count / width;
    const low = context.temporary([count, tokens, rank], "f32");
    const down = lowerProduct(
      {
        name: "multiLora down",
        batch: [count],
        m: tokens,
        n: rank,
        terms: [{ a: matrix(reshaped(x, [count, tokens, width]), 1, 2), b: ofAdapter(a, index, starts, "r"), k: width }],
        output: low,
        epilogue: (shader) => {
          const scale = shader.input(scales);
          const at = shader.u32(scales.offset);
          shader.declare(`fn scale_of(row: u32) -> f32 { return ${scale.load(`${at} + u32(max(adapter_of(row), 0))`)}; }`);
          return (value, batch, _row, column) => `select(0.0, ${value} * scale_of(${batch}), ${column} < rank_of(${batch}))`;
        },
      },
      context,
    );
    const up = lowerProduct(
      {
        name: "multiLora up",
        batch: [count],
        m: tokens,
        n: out,
        terms: [{ a: matrix(low, 1, 2), b: ofAdapter(b, index, starts, "k"), k: rank }],
        output: outputs[0]!,
      },
      context,
    );
    return [...down, ...up];
  },
};
