import type { Context, OpStep } from "./context.js";

export function lowerConcat({ attrs, inputs, outputs: [output] }: OpStep, context: Context): void {
  const parts = inputs.map((input) => context.whole(input));
  context.store(output!, context.builder.concat(parts, attrs.axis as number));
}

export function lowerPad({ attrs, inputs: [x], outputs: [output] }: OpStep, context: Context): void {
  const { builder: b } = context;
  const { low, high, value } = attrs as unknown as {
    readonly low: readonly number[];
    readonly high: readonly number[];
    readonly value: number;
  };
  const v = context.whole(x!);
  context.store(output!, v.shape.includes(0) ? b.constant(v.kind, value) : b.pad(v, low, high, value));
}
