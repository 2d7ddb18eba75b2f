import { type Backend, bytesPerElement, cast, type Frozen, placeholder, planGraph } from "@weft/tensor-core";
import type { OnnxBuffer } from "./executable.js";
import type { Constant } from "./lower/lower-plan.js";

/** Calls `use` with what the constants of a model are to contain: the frozen buffers, or copies in the dtype that the model has. */
export async function withContents<T>(
  backend: Backend,
  constants: readonly Constant[],
  frozen: Frozen,
  use: (contents: readonly OnnxBuffer[]) => Promise<T>,
): Promise<T> {
  const copies: OnnxBuffer[] = [];
  try {
    const contents: OnnxBuffer[] = [];
    for (const constant of constants) {
      const buffer = frozen.get(constant.buffer) as OnnxBuffer;
      if (constant.from !== constant.to) copies.push(await converted(backend, constant, buffer));
      contents.push(constant.from === constant.to ? buffer : copies.at(-1)!);
    }
    return await use(contents);
  } finally {
    for (const copy of copies) backend.free(copy);
  }
}

/** A copy of a constant in the dtype that the model has. */
async function converted(backend: Backend, { from, to, elements }: Constant, source: OnnxBuffer): Promise<OnnxBuffer> {
  const given = placeholder({ shape: [elements], dtype: from });
  const { plan } = planGraph([cast(given, to)], [given], () => false);
  const executable = await backend.lower(plan);
  const copy = backend.allocate(elements * bytesPerElement(to)) as OnnxBuffer;
  await backend.run(executable, [source], [copy]);
  executable.dispose();
  return copy;
}
