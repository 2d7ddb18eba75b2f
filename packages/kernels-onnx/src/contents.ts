import { type Backend, bytesPerElement, type Frozen, type Operand, type Plan } from "@weft/tensor-core";
import { copyProgram } from "@weft/tensor-core/program";
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

async function converted(backend: Backend, constant: Constant, source: OnnxBuffer): Promise<OnnxBuffer> {
  const plan = conversion(constant);
  const executable = await backend.lower(plan);
  const copy = backend.allocate(plan.buffers[1]!.bytes) as OnnxBuffer;
  await backend.run(executable, [source], [copy]);
  executable.dispose();
  return copy;
}

/** A plan that copies its input to its output, which has another dtype. */
function conversion({ from, to, elements }: Constant): Plan {
  const shape = [elements];
  const operand = (buffer: number, dtype: typeof from): Operand => ({ buffer, dtype, shape, strides: [1], offset: 0 });
  const output = operand(1, to);
  const bytes = [from, to].map((dtype) => elements * bytesPerElement(dtype)) as [number, number];
  return {
    buffers: [
      { role: "input", bytes: bytes[0] },
      { role: "output", bytes: bytes[1] },
    ],
    steps: [{ kind: "fused", program: copyProgram(shape, from), inputs: [operand(0, from)], outputs: [output] }],
    inputs: [0],
    outputs: [output],
    scratchBytes: 0,
    peakBytes: bytes[0] + bytes[1],
  };
}
