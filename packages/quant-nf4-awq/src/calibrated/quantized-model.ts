import { type BlockwiseModel, cast, dequantize, type Device, evaluate, type MatrixShape, ShapeError, type Tensor } from "@weft/tensor-core";
import { type QuantFormat, type QuantizedWeight, toPacked } from "../quant-format.js";
import type { LayersByPath } from "./walk.js";

/** A model whose linear layers were quantised by what goes into them. */
export interface QuantizedModel {
  /** By module path. */
  readonly weights: ReadonlyMap<string, QuantizedWeight>;
  /** Parameters that had to change with them, f32 in the shape that they have, by name: norms and biases. */
  readonly parameters: ReadonlyMap<string, Float32Array>;
  /** By module path: mean over the tokens of what is lost, as the method measures it. */
  readonly losses: ReadonlyMap<string, number>;
}

/** Which layers of a model are quantised, and what is told. */
export interface QuantizeModelOptions {
  /** True for layers that stay as they are. */
  readonly skip?: (path: string) => boolean;
  /** Told of each layer when it is done: here it can be written and forgotten. */
  readonly onLayer?: (path: string, weight: QuantizedWeight, loss: number) => void | Promise<void>;
}

export const layersByPath = (model: BlockwiseModel): LayersByPath => new Map(model.layers().map(({ path, ...rest }) => [path, rest]));

/** Checks all layers before the first of them is quantised. @throws ShapeError naming the one that the format cannot hold */
export function assertFit(model: BlockwiseModel, format: QuantFormat, layers: LayersByPath, skip?: (path: string) => boolean): void {
  for (let i = 0; i < model.blockCount; i++)
    for (const path of model.sharedInputs(i).flatMap((one) => one.layers)) {
      if (skip?.(path)) continue;
      const shape = layers.get(path)!.base.weight.shape as MatrixShape;
      const whole = Object.values(format.parts(shape)).every((part) => part.shape.every(Number.isInteger));
      if (shape[1] % format.block !== 0 || !whole)
        throw new ShapeError(`${path}: ${format.name} does not hold a weight of [${shape}]`, {
          tensor: path,
          hint: "take another groupSize, or leave the layer out with skip",
        });
    }
}

/** A tensor's values in f32. */
export const floatsOf = async (t: Tensor): Promise<Float32Array> => (await cast(t, "f32").data()) as Float32Array;

/** A stored weight as one that computes in its place. */
export async function standIn(weight: QuantizedWeight, like: Tensor, device: Device | undefined): Promise<Tensor> {
  const values = cast(dequantize(toPacked(weight, device)), like.dtype);
  await evaluate(values);
  return values;
}
