import {
  type AdapterContext,
  abs,
  CapabilityError,
  cast,
  type CompositeCall,
  type DType,
  featuresOf,
  max,
  mergeBias,
  mergeWeight,
  mul,
  type Params,
  type Plan,
  placeholder,
  planGraph,
  sub,
  sum,
  type Tensor,
  type TensorSpec,
  tileRows,
  unmergeWeight,
} from "@weft/tensor-core";
import { toCoreDType } from "@weft/io-safetensors";
import { ADAPTER_METHODS } from "@weft/registry";
import type { Item, Step, Stored } from "./item.js";

/** The dtype that a stored one computes as. @throws CapabilityError for those that nothing computes with */
export function coreDType(dtype: Stored["dtype"]): DType {
  const core = toCoreDType(dtype);
  if (!core) throw new CapabilityError(`${dtype} tensors are not computed with`, { kind: "unsupported-dtype" });
  return core;
}

const specOf = ({ shape, dtype }: { readonly shape: readonly number[]; readonly dtype: Stored["dtype"] }): TensorSpec => ({
  shape,
  dtype: coreDType(dtype),
});

/** A tensor after all its steps, in `dtype`. */
function mergedTensor({ source, steps }: Item, weight: Tensor, params: readonly Params[], dtype: DType): Tensor {
  // Between steps values keep the wider of the two dtypes: PEFT adds adapter by adapter to the weight as it is stored.
  const between = coreDType(source.dtype) === "f32" || dtype === "f32" ? "f32" : weight.dtype;
  return steps.reduce(
    (current, step, i) => applyStep(step, current, params[i]!, i === steps.length - 1 ? dtype : between, weight),
    steps.length === 0 ? cast(weight, dtype) : weight,
  );
}

function applyStep(step: Step, weight: Tensor, params: Params, dtype: DType, unmerged: Tensor): Tensor {
  const method = ADAPTER_METHODS.get(step.method)?.method;
  if (!method) throw new CapabilityError(`${step.method} adapters cannot be merged yet`, { kind: "unsupported-method" });
  const context = { layer: step.layer, config: step.config, scale: step.scale } as unknown as AdapterContext<never>;
  if (step.kind === "bias") return cast(mergeBias(method, weight, params, context)!, dtype);
  if (step.kind === "unmerge") return cast(unmergeWeight(method, weight, params, context), dtype);
  return mergeWeight(method, weight, params, context, { rounding: step.rounding, dtype, unmerged });
}

/** Which of a layer's tensors a step would change, found by building its graph over nothing. @throws CapabilityError if it cannot be merged */
export function probeStep(step: Omit<Step, "kind">, bias: boolean): { readonly weight: boolean; readonly bias: boolean } {
  const method = ADAPTER_METHODS.get(step.method)?.method;
  if (!method) throw new CapabilityError(`${step.method} adapters cannot be merged yet`, { kind: "unsupported-method" });
  const context = { layer: step.layer, config: step.config, scale: step.scale } as unknown as AdapterContext<never>;
  const params: Params = Object.fromEntries(Object.entries(step.params).map(([name, stored]) => [name, placeholder(specOf(stored))]));
  const weight = placeholder({ shape: step.layer.shape, dtype: step.layer.dtype });
  const merged = mergeWeight(method, weight, params, context, { rounding: step.rounding });
  const before = bias ? placeholder({ shape: [featuresOf(step.layer).out], dtype: step.layer.dtype }) : undefined;
  return { weight: merged !== weight, bias: mergeBias(method, before, params, context) !== before };
}

/** A plan over rows, and the data of those of its inputs that are constants of the graph (positions that follow from a seed). */
export interface RowPlan {
  readonly plan: Plan;
  /** Behind the inputs that are bound by the caller. */
  readonly constants: readonly Uint8Array[];
}

/**
 * The plan that computes rows `start … stop-1` of an item. Inputs: those rows of the tensor, then the parameters of all steps in their full
 * shapes, then, with `stats`, the same rows once more, then constants. Outputs: the rows, then with `stats` max|Δ|, ΣΔ² and the largest rounding error.
 * @returns undefined if these rows of the result need other rows of the tensor
 */
export function planRows(
  item: Item,
  start: number,
  stop: number,
  stats: boolean,
  claims: (call: CompositeCall) => boolean,
): RowPlan | undefined {
  const params = item.steps.map((step): Params =>
    Object.fromEntries(Object.entries(step.params).map(([name, stored]) => [name, placeholder(specOf(stored))])),
  );
  const tile = (dtype: DType): { readonly input: Tensor; readonly output: Tensor } | undefined => {
    const spec = specOf(item.source);
    if (spec.shape.length > 0) return tileRows((weight) => mergedTensor(item, weight, params, dtype), spec, start, stop);
    const input = placeholder(spec);
    return { input, output: mergedTensor(item, input, params, dtype) };
  };
  const result = tile(coreDType(item.dtype));
  const exact = stats ? tile("f32") : undefined;
  if (!result || (stats && !exact)) return undefined;
  const inputs = [result.input, ...params.flatMap((p) => Object.values(p)), ...(exact ? [exact.input] : [])];
  const outputs = [result.output, ...(exact ? statistics(exact.input, result.output, exact.output) : [])];
  const { plan, leaves } = planGraph(outputs, inputs, claims);
  return { plan, constants: leaves.slice(inputs.length).map((leaf) => leaf.node.bytes!) };
}

function statistics(before: Tensor, stored: Tensor, exact: Tensor): Tensor[] {
  const change = sub(exact, cast(before, "f32"));
  return [max(abs(change)), sum(mul(change, change)), max(abs(sub(cast(stored, "f32"), exact)))];
}
