import type { Builder } from "./builder.js";
import type { Context, OpStep } from "./context.js";
import type { Value } from "./value.js";

/** Attributes of the primitive: a number per spatial axis, and `groups`. */
interface ConvAttrs {
  readonly stride: readonly number[];
  readonly padding: readonly (readonly [low: number, high: number])[];
  readonly dilation: readonly number[];
  readonly inputDilation: readonly number[];
  readonly groups: number;
}

export function lowerConv({ attrs, inputs: [x, w], outputs: [output] }: OpStep, context: Context): void {
  const { builder: b } = context;
  const { stride, padding, dilation, inputDilation, groups } = attrs as unknown as ConvAttrs;
  const kernel = context.whole(w!);
  let input = context.whole(x!);
  inputDilation.forEach((by, i) => (input = spread(b, input, i + 2, by)));
  // Negative padding cuts.
  padding.forEach(([low, high], i) => (input = b.slice(input, i + 2, Math.max(0, -low), input.shape[i + 2]! - Math.max(0, -high))));
  const pads = [0, 1].flatMap((side) => padding.map((p) => Math.max(0, p[side]!)));
  const name = b.graph.node("Conv", [input.name, kernel.name], {
    strides: stride,
    dilations: dilation,
    group: groups,
    pads,
    kernel_shape: kernel.shape.slice(2),
  });
  context.store(output!, { name, kind: "f", shape: output!.shape });
}

/** Zeros between neighbours along an axis, so that they lie `by` apart. */
function spread(b: Builder, x: Value, axis: number, by: number): Value {
  if (by === 1) return x;
  const n = x.shape[axis]!;
  const [before, after] = [x.shape.slice(0, axis), x.shape.slice(axis + 1)];
  const cells = b.padAxis(b.reshape(x, [...before, n, 1, ...after]), axis + 1, 0, by - 1);
  return b.slice(b.reshape(cells, [...before, n * by, ...after]), axis, 0, (n - 1) * by + 1);
}
