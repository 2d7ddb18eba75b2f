import { type TorchGenerator, torchKaimingUniform, torchNormal } from "@weft/tensor-core";

/** A parameter before training. */
export interface InitialParameter {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

export type InitialParameters = Map<string, InitialParameter>;

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

export const filled = (shape: readonly number[], value: number): InitialParameter => ({
  shape,
  values: new Float32Array(sizeOf(shape)).fill(value),
});

/** N(0, std²) */
export const normal = (generator: TorchGenerator, shape: readonly number[], std: number): InitialParameter => ({
  shape,
  values: torchNormal(generator, sizeOf(shape), 0, std),
});

/** What torch begins linear layers and convolutions with: uniform within 1/√(fan in). */
export const kaiming = (generator: TorchGenerator, shape: readonly number[]): InitialParameter => ({
  shape,
  values: torchKaimingUniform(generator, shape),
});

/** Values by a function of their place in the last axis. */
export function along(shape: readonly number[], value: (i: number) => number): InitialParameter {
  const last = shape.at(-1)!;
  return { shape, values: Float32Array.from({ length: sizeOf(shape) }, (_, i) => value(i % last)) };
}
