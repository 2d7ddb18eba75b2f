import { cast, type Frozen, placeholder, type Plan, planGraph } from "@weft/tensor-core";
import type { OnnxBuffer } from "./executable.js";
import type { Constant } from "./lower/lower-plan.js";

/** Computes a plan of inputs that lie there; the outputs are the caller's. */
type Compute = (plan: Plan, inputs: Frozen) => Promise<readonly OnnxBuffer[]>;

/** Calls `use` with what the constants of a model are to contain: the frozen buffers, or copies in the dtype that the model has. */
export async function withContents<T>(
  compute: Compute,
  free: (copy: OnnxBuffer) => void,
  constants: readonly Constant[],
  frozen: Frozen,
  use: (contents: readonly OnnxBuffer[]) => Promise<T>,
): Promise<T> {
  const copies: OnnxBuffer[] = [];
  try {
    const contents: OnnxBuffer[] = [];
    for (const constant of constants) {
      const buffer = frozen.get(constant.buffer) as OnnxBuffer;
      if (constant.from !== constant.to) copies.push(await converted(compute, constant, buffer));
      contents.push(constant.from === constant.to ? buffer : copies.at(-1)!);
    }
    return await use(contents);
  } finally {
    for (const copy of copies) free(copy);
  }
}

/** A copy of a constant in the dtype that the model has. */
async function converted(compute: Compute, { from, to, elements }: Constant, source: OnnxBuffer): Promise<OnnxBuffer> {
  const given = placeholder({ shape: [elements], dtype: from });
  const { plan } = planGraph([cast(given, to)], [given], () => false);
  const [copy] = await compute(plan, new Map([[plan.inputs[0]!, source]]));
  return copy!;
}
