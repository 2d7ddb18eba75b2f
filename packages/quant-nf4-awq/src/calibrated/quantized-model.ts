import {
  type BlockwiseModel,
  cast,
  dequantize,
  type Device,
  evaluate,
  FormatError,
  type MatrixShape,
  ShapeError,
  type Tensor,
} from "@weft/tensor-core";
import { assertFinite, type QuantFormat, type QuantizedWeight, toPacked } from "../quant-format.js";
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

/** What became of a block. */
export interface QuantizedBlock extends QuantizedModel {
  readonly index: number;
  /** By module path: what the inputs of the layer are divided by now, and its weights were multiplied by before they were rounded. */
  readonly scales: ReadonlyMap<string, Float32Array>;
}

/** Which layers of a model are quantised, and what is told. */
export interface QuantizeModelOptions {
  /** True for layers that stay as they are. */
  readonly skip?: (path: string) => boolean;
  /** Told of each layer when it is done. */
  readonly onLayer?: (path: string, loss: number) => void | Promise<void>;
  /** Takes over a block when it is done, so that no more than one is held: the result has none of it. */
  readonly onBlock?: (block: QuantizedBlock) => void | Promise<void>;
  /** The weights of a block that an earlier run has done: it is not quantised again, and the result has none of it. */
  readonly known?: (block: number) => Promise<ReadonlyMap<string, QuantizedWeight> | undefined>;
}

/** Gathers blocks, or hands them on. */
export class BlockResults implements QuantizedModel {
  readonly weights: Map<string, QuantizedWeight> = new Map();
  readonly parameters: Map<string, Float32Array> = new Map();
  readonly losses: Map<string, number> = new Map();

  constructor(private readonly onBlock: QuantizeModelOptions["onBlock"]) {}

  async add(block: QuantizedBlock): Promise<void> {
    if (this.onBlock) return this.onBlock(block);
    for (const [path, weight] of block.weights) this.weights.set(path, weight);
    for (const [name, values] of block.parameters) this.parameters.set(name, values);
    for (const [path, loss] of block.losses) this.losses.set(path, loss);
  }
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

/** The values of a layer's weight. @throws FormatError kind `non-finite` naming it */
export async function weightOf(path: string, format: QuantFormat, t: Tensor): Promise<Float32Array> {
  const values = await floatsOf(t);
  const tensor = `${path}.weight`;
  try {
    assertFinite(format, values, t.shape[1]!);
  } catch (error) {
    const { message, hint } = error as FormatError;
    throw new FormatError(`${tensor}: ${message}`, { kind: "non-finite", tensor, ...(hint !== undefined && { hint }) });
  }
  return values;
}

/** A stored weight as one that computes in its place. */
export async function standIn(weight: QuantizedWeight, like: Tensor, device: Device | undefined): Promise<Tensor> {
  const values = cast(dequantize(toPacked(weight, device)), like.dtype);
  await evaluate(values);
  return values;
}
