import {
  type AdapterContext,
  adapterParams,
  type AdapterMethod,
  abs,
  CapabilityError,
  cast,
  type CompositeCall,
  type DType,
  featuresOf,
  type IndexCheck,
  mapBox,
  max,
  type MethodTable,
  mergeBias,
  mergeWeight,
  mul,
  needs,
  type Params,
  type Plan,
  placeholder,
  planGraph,
  reshape,
  type RowPasses,
  rowPasses,
  rows,
  sub,
  sum,
  swapLast,
  type Tensor,
  type TensorSpec,
  type UnmergedBias,
  unmergeWeight,
  withIndexChecks,
} from "@weft/tensor-core";
import { toCoreDType } from "@weft/io-safetensors";
import { type TensorJob, type Place, rowsOf, type MergeOp, type TensorLocation } from "./tensor-job.js";

/** The dtype that a stored one computes as. @throws CapabilityError for those that nothing computes with */
export function coreDType(dtype: TensorLocation["dtype"]): DType {
  const core = toCoreDType(dtype);
  if (!core) throw new CapabilityError(`${dtype} tensors are not computed with`, { kind: "unsupported-dtype" });
  return core;
}

const specOf = ({ shape, dtype }: { readonly shape: readonly number[]; readonly dtype: TensorLocation["dtype"] }): TensorSpec => ({
  shape,
  dtype: coreDType(dtype),
});

/**
 * A tensor after all its steps, in `dtype`.
 * @param weight of a bias: the layer's weight, where the steps look at it
 */
function mergedTensor(
  { source, steps }: TensorJob,
  methods: MethodTable,
  tensor: Tensor,
  weight: Tensor | undefined,
  params: readonly Params[],
  dtype: DType,
): Tensor {
  // Between steps values keep the wider of the two dtypes: PEFT adds adapter by adapter to the weight as it is stored.
  const between = coreDType(source.dtype) === "f32" || dtype === "f32" ? "f32" : tensor.dtype;
  let [current, unmerged] = [steps.length === 0 ? cast(tensor, dtype) : tensor, tensor];
  for (const [i, step] of steps.entries()) {
    const to = i === steps.length - 1 ? dtype : between;
    // A result in f32 is computed as if all were in f32.
    const held = adapterParams(params[i]!, to === "f32" ? to : step.layer.dtype, step.autocastAdapterDtype);
    const change = (whole: Tensor, before: Tensor): Tensor =>
      step.kind === "bias"
        ? mergedBias(methodOf(step, methods), whole, held, to, { bias: before, weight })
        : applyStep(step, methodOf(step, methods), whole, held, to, before);
    current = step.place ? onPlace(step, step.place, current, unmerged, change) : change(current, unmerged);
    if (step.kind === "initial") unmerged = current;
  }
  return current;
}

/** A step on a tensor that is a box of the layer's weight: computed from that box alone. @throws CapabilityError if the method needs more of the weight */
function onPlace(
  { method }: MergeOp,
  { shape, of, transposed }: Place,
  current: Tensor,
  unmerged: Tensor,
  change: (whole: Tensor, unmerged: Tensor) => Tensor,
): Tensor {
  const size = of.map(([start, stop]) => stop - start);
  const turned = (t: Tensor): Tensor => (transposed ? swapLast(t) : t);
  const given = (current === unmerged ? [current] : [current, unmerged]).map((t) => reshape(turned(t), size));
  const result = mapBox((whole: Tensor, before = whole) => change(whole, before), shape, of, given);
  if (!result)
    throw new CapabilityError(
      `${method} computes each part of the weight [${shape.join(",")}] from all of it, and the base keeps a part of it in this tensor`,
      { kind: "not-mergeable", hint: "merge it into a checkpoint that has this weight in one, or keep the adapter unmerged" },
    );
  return turned(reshape(result, turned(current).shape));
}

/** Place-holders of a step's parameters as they are stored. */
const placeholders = ({ params }: Pick<MergeOp, "params">): Params =>
  Object.fromEntries(Object.entries(params).map(([name, stored]) => [name, placeholder(specOf(stored))]));

type Applied = readonly [AdapterMethod<never>, AdapterContext<never>];

/** A step's method, and what it gets to know of the layer. @throws CapabilityError if there is no such method */
function methodOf(step: Omit<MergeOp, "kind">, methods: MethodTable): Applied {
  const method = methods.get(step.method)?.method;
  if (!method) throw new CapabilityError(`${step.method} adapters cannot be merged yet`, { kind: "unsupported-method" });
  return [method, { layer: step.layer, config: step.config, scale: step.scale } as unknown as AdapterContext<never>];
}

function mergedBias([method, context]: Applied, bias: Tensor, params: Params, dtype: DType, unmerged: UnmergedBias): Tensor {
  const [held, before] = [bias, unmerged.bias].map((b) => (dtype === "f32" ? cast(b, "f32") : b)) as [Tensor, Tensor];
  return cast(mergeBias(method, held, params, context, { ...unmerged, bias: before })!, dtype);
}

function applyStep(step: MergeOp, [method, context]: Applied, weight: Tensor, params: Params, dtype: DType, unmerged: Tensor): Tensor {
  if (step.kind === "unmerge") return cast(unmergeWeight(method, weight, params, context), dtype);
  return mergeWeight(method, weight, params, context, { safeMerge: step.safeMerge, dtype, unmerged });
}

/** What a step would do to a layer. */
export interface Probed {
  readonly weight: boolean;
  readonly bias: boolean;
  /** The bias's change depends on the weight. */
  readonly biasReadsWeight: boolean;
  /** The parameters that it computes with: others of those that layers share are not loaded for it. */
  readonly reads: ReadonlySet<string>;
}

/** Which of a layer's tensors a step would change, found by building its graph over placeholders. @throws CapabilityError if it cannot be merged */
export function probeStep(step: Omit<MergeOp, "kind">, methods: MethodTable, bias: boolean): Probed {
  const [method, context] = methodOf(step, methods);
  const stored = placeholders(step);
  const params = adapterParams(stored, step.layer.dtype, step.autocastAdapterDtype);
  const weight = placeholder({ shape: step.layer.shape, dtype: step.layer.dtype });
  const merged = mergeWeight(method, weight, params, context, { safeMerge: step.safeMerge });
  const before = bias ? placeholder({ shape: [featuresOf(step.layer).out], dtype: step.layer.dtype }) : undefined;
  const after = mergeBias(method, before, params, context, { weight });
  const biasReadsWeight = after !== undefined && after !== before && needs(after, weight);
  if (biasReadsWeight && step.layer.transposed)
    throw new CapabilityError(
      `${step.method} adapters are not merged into the bias of a weight that is stored [in, out]: each value needs all rows`,
    );
  // As they are stored: the graph may read past a cast.
  const reads = Object.entries(stored).flatMap(([name, param]) => (needs(merged, param) || (after && needs(after, param)) ? [name] : []));
  return { weight: merged !== weight, bias: after !== before, biasReadsWeight, reads: new Set(reads) };
}

/** A plan over rows, and the data of those of its inputs that are constants of the graph (positions that follow from a seed). */
export interface RowPlan {
  readonly plan: Plan;
  /** Behind the inputs that are bound by the caller. */
  readonly constants: readonly Uint8Array[];
  /** What indices among the parameters must be: then the last output, i32, tells what they are. */
  readonly checks: readonly IndexCheck[];
}

/** What decides which composites a plan keeps. */
export type Claims = (call: CompositeCall) => boolean;

/** The computation of an item as passes over the rows of its tensor. */
export interface JobPasses {
  /** Sizes of the sums over all rows that are found first, in f32. */
  readonly sums: readonly number[];
  /**
   * The plan that adds up a sum's part of rows `start … stop-1`. Inputs: those rows (`rowsOf`), a bias that they are not of, the parameters of all
   * steps in their full shapes, the sums before it, constants.
   */
  sum(index: number, start: number, stop: number): RowPlan;
  /**
   * The plan that computes rows `start … stop-1` of the item. Inputs: those rows, a bias, the parameters, the sums, then with `stats` the same
   * rows and sums once more, then constants. Outputs: the rows, then with `stats` max|Δ|, ΣΔ² and the largest rounding error.
   * @returns undefined if these rows of the result need other rows of the tensor
   */
  tile(start: number, stop: number): RowPlan | undefined;
}

export function jobPasses(item: TensorJob, methods: MethodTable, stats: boolean, claims: Claims): JobPasses {
  const params = item.steps.map(placeholders);
  // Rows of a weight beside a bias: the bias is a parameter like the others.
  const bias = item.weight && placeholder(specOf(item.source));
  const all = [...(bias ? [bias] : []), ...params.flatMap((p) => Object.values(p))];
  const passes = (dtype: DType): RowPasses =>
    passesOver(specOf(rowsOf(item)), (x) =>
      bias ? mergedTensor(item, methods, bias, x, params, dtype) : mergedTensor(item, methods, x, undefined, params, dtype),
    );
  const result = passes(coreDType(item.dtype));
  const exact = stats ? passes("f32") : undefined;
  const values = result.sums.map(({ value }) => value);
  return {
    sums: values.map(({ size }) => size),
    sum(index, start, stop) {
      const { input, output } = result.sums[index]!.part(start, stop);
      return planOf([cast(output, "f32")], [input, ...all, ...values.slice(0, index)], claims);
    },
    tile(start, stop) {
      const [tile, wide] = [result.tile(start, stop), exact?.tile(start, stop)];
      if (!tile || (exact && !wide)) return undefined;
      const inputs = [tile.input, ...all, ...values, ...(wide ? [wide.input, ...exact!.sums.map(({ value }) => value)] : [])];
      return planOf(
        [tile.output, ...(wide ? statistics(bias ? rows(bias, start, stop) : wide.input, tile.output, wide.output) : [])],
        inputs,
        claims,
      );
    },
  };
}

/** A scalar has no rows: it is one. */
function passesOver(spec: TensorSpec, f: (x: Tensor) => Tensor): RowPasses {
  if (spec.shape.length > 0) return rowPasses(f, spec);
  const input = placeholder(spec);
  return { sums: [], tile: () => ({ input, output: f(input) }) };
}

function planOf(outputs: readonly Tensor[], inputs: readonly Tensor[], claims: Claims): RowPlan {
  const checked = withIndexChecks(outputs);
  const { plan, leaves } = planGraph(checked.outputs, inputs, claims);
  return { plan, constants: leaves.slice(inputs.length).map((leaf) => leaf.node.bytes!), checks: checked.checks };
}

function statistics(before: Tensor, stored: Tensor, exact: Tensor): Tensor[] {
  const change = sub(exact, cast(before, "f32"));
  return [max(abs(change)), sum(mul(change, change)), max(abs(sub(cast(stored, "f32"), exact)))];
}
