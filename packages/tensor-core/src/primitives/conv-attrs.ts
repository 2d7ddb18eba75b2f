/** Attributes of a convolution: a number per spatial axis, and `groups`. */
export interface ConvAttrs {
  readonly stride: readonly number[];
  readonly padding: readonly (readonly [low: number, high: number])[];
  readonly dilation: readonly number[];
  readonly inputDilation: readonly number[];
  readonly groups: number;
}
