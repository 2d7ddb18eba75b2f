import {
  bytesPerElement,
  type Device,
  flattenTree,
  placeholder,
  planGraph,
  type StepCost,
  stepCost,
  type Tensor,
  type Tree,
  unflattenTree,
  withFootprint,
} from "@weft/tensor-core";

/** What a plan takes while it runs, in bytes, and what it does. */
export interface PlanNeeds {
  /** All of the following together. */
  readonly peakBytes: number;
  /** Tensors that the function closes over: weights, as they are stored. */
  readonly weightBytes: number;
  /** Its arguments: the state of a training, and a batch. */
  readonly argumentBytes: number;
  /** Results that take the memory of no argument, and everything in between: activations, gradients, temporaries. */
  readonly workBytes: number;
  /** Operations and bytes moved of each of its kernel calls. */
  readonly work: readonly StepCost[];
}

const bytes = (tensors: readonly Tensor[]): number => tensors.reduce((sum, t) => sum + t.size * bytesPerElement(t.dtype), 0);

/**
 * What calling a function would take and do on a device, from its plan: nothing is computed and no weight is read.
 * @param args trees of tensors, of which shape and dtype are used
 * @param donate numbers of arguments that the call may overwrite
 */
export async function planNeeds<A extends readonly Tree[]>(
  device: Device,
  fn: (...args: A) => Tree,
  args: A,
  donate: readonly number[] = [],
): Promise<PlanNeeds> {
  const { backend } = device;
  const { leaves, structure } = flattenTree(args);
  const inputs = leaves.map(({ shape, dtype }) => placeholder({ shape, dtype }));
  const outputs = flattenTree(fn(...(unflattenTree(structure, inputs) as unknown as A))).leaves;
  const donated = donate.flatMap((n) => {
    const before = flattenTree(args.slice(0, n)).leaves.length;
    return flattenTree(args[n] as Tree).leaves.map((_, i) => before + i);
  });
  const { plan, leaves: all } = planGraph(outputs, inputs, (call) => backend.claims(call), { share: true, donated });
  const { peakBytes } = backend.footprint ? withFootprint(plan, await backend.footprint(plan)) : plan;
  const weightBytes = bytes(all.slice(inputs.length));
  const argumentBytes = bytes(inputs);
  return { peakBytes, weightBytes, argumentBytes, workBytes: peakBytes - weightBytes - argumentBytes, work: plan.steps.map(stepCost) };
}
