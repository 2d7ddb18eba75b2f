import { abs, type AdapterContext, cast, compile, CapabilityError, type CompositeCall, Device, full, max, mergeBias, mergeWeight, mul, type Params, type Plan, slice, sub, sum, type Tensor, unmergeWeight } from "@weft/tensor-core";
import { createReferenceBackend } from "@weft/tensor-core";
import { toCoreDType } from "@weft/io-safetensors";
import { PEFT_METHODS } from "@weft/registry";
import type { Item, Step } from "./item.js";

/** What a tile's plan gives besides the rows themselves. */
export interface TileOutputs {
  /** Σ 0·w' over the rows: 0, or NaN if one of them is not finite. */
  readonly finite: boolean;
  /** max|Δ|, ΣΔ² and the largest rounding error. */
  readonly stats: boolean;
}

/** A tensor after all its steps, for place-holders of the tensor and of each step's parameters. */
export function mergedTensor(item: Item, weight: Tensor, params: readonly Params[], dtype = coreDType(item.dtype)): Tensor {
  const { steps } = item;
  if (steps.length === 0) return cast(weight, dtype);
  // Between steps values keep the wider of the two dtypes: PEFT adds adapter by adapter to the stored weight.
  const between = coreDType(item.source.dtype) === "f32" || dtype === "f32" ? "f32" : weight.dtype;
  let current = weight;
  steps.forEach((step, i) => {
    current = applyStep(step, current, params[i]!, i === steps.length - 1 ? dtype : between, weight);
  });
  return current;
}

function applyStep(step: Step, weight: Tensor, params: Params, dtype: ReturnType<typeof coreDType>, unmerged: Tensor): Tensor {
  const method = PEFT_METHODS.get(step.method)?.method;
  if (!method) throw new CapabilityError(`${step.method} adapters cannot be merged yet`, { kind: "unsupported-method" });
  const context = { layer: step.layer, config: step.config, scale: step.scale } as AdapterContext<never>;
  if (step.kind === "bias") return cast(mergeBias(method, weight, params, context)!, dtype);
  if (step.kind === "unmerge") return cast(unmergeWeight(method, weight, params, context), dtype);
  return mergeWeight(method, weight, params, context, { rounding: step.rounding, dtype, unmerged });
}

export function coreDType(dtype: Item["dtype"]): NonNullable<ReturnType<typeof toCoreDType>> {
  const core = toCoreDType(dtype);
  if (!core) throw new CapabilityError(`${dtype} tensors are not computed with`, { kind: "unsupported-dtype" });
  return core;
}

/**
 * The plan that computes rows `start … stop-1` of an item. Inputs: the tensor, then the parameters of each step, in order, all in
 * their full shapes. Outputs: the rows, then what `outputs` asks for.
 */
export async function planRows(item: Item, rows: readonly [number, number], outputs: TileOutputs, claims: (call: CompositeCall) => boolean): Promise<Plan> {
  let captured: Plan | undefined;
  const backend = createReferenceBackend();
  const device = new Device({
    ...backend,
    claims,
    lower(plan) {
      captured = plan;
      return { plan, kernels: [], dispose() {} };
    },
  });
  const holder = ({ shape, dtype }: { readonly shape: readonly number[]; readonly dtype: Item["dtype"] }): Tensor => full(shape, 0, coreDType(dtype));
  const trace = compile(
    (weight: Tensor, params: readonly { readonly [name: string]: Tensor }[]): Tensor[] => {
      const part = (t: Tensor): Tensor => (t.shape.length === 0 ? t : slice(t, [rows]));
      const result = part(mergedTensor(item, weight, params));
      const all = [result];
      if (outputs.finite) all.push(sum(mul(cast(result, "f32"), 0)));
      if (outputs.stats) all.push(...statistics(part(weight), result, part(mergedTensor(item, weight, params, "f32"))));
      return all;
    },
    { device },
  );
  await trace.prepare(holder(item.source), item.steps.map(({ params }) => Object.fromEntries(Object.entries(params).map(([name, stored]) => [name, holder(stored)]))));
  return captured!;
}

function statistics(before: Tensor, stored: Tensor, exact: Tensor): Tensor[] {
  const change = sub(exact, cast(before, "f32"));
  return [max(abs(change)), sum(mul(change, change)), max(abs(sub(cast(stored, "f32"), exact)))];
}
