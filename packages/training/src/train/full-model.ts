import type { AdapterParameters, HookedModel } from "@weft/registry";
import { cast, ConfigError, isFloat, type Tensor } from "@weft/tensor-core";
import type { Trainee } from "./trainee.js";

/** Weights by name, of those that train. */
export type WeightFilter = (name: string) => boolean;

/** For `fullModel`: biases alone. @see Ben Zaken et al. 2022 (BitFit) */
export const biases: WeightFilter = (name) => name.endsWith(".bias");

/** A model whose own weights train. */
export interface FullModel extends Trainee {
  /** The model with the weights as they are now. */
  readonly model: HookedModel<never, unknown>;
  withParameters(parameters: AdapterParameters): FullModel;
}

class Weights implements FullModel {
  readonly baseModel: HookedModel<never, unknown>;
  private values: { readonly [name: string]: Tensor };

  constructor(baseModel: HookedModel<never, unknown>, values: { readonly [name: string]: Tensor }) {
    this.baseModel = baseModel;
    this.values = values;
  }

  get model(): HookedModel<never, unknown> {
    // Stored in 16 bits, they train in f32 and compute as they are stored.
    const weights = Object.entries(this.values).map(([name, t]) => [name, cast(t, this.baseModel.weights.get(name)!.dtype)] as const);
    return this.baseModel.withWeights(new Map(weights));
  }

  parameters(): AdapterParameters {
    return { layers: {}, shared: {}, replaced: this.values, prompt: {} };
  }

  withParameters({ replaced }: AdapterParameters): FullModel {
    return new Weights(this.baseModel, replaced);
  }

  setParameters({ replaced }: AdapterParameters): void {
    this.values = replaced;
  }

  forward(inputs: never, { hook }: Parameters<Trainee["forward"]>[1] = {}): unknown {
    return this.model.forward(inputs, hook);
  }
}

/**
 * Full fine-tuning, or that of some weights (`biases`; norms: `(name) => name.includes("norm")`): they train in f32, whatever they are stored in.
 * @throws ConfigError kind `nothing-to-train` if no weight is chosen, kind `training-option` for one that is stored quantised
 */
export function fullModel(model: HookedModel<never, unknown>, trains: WeightFilter = () => true): FullModel {
  const chosen = [...model.weights].filter(([name]) => trains(name));
  if (chosen.length === 0)
    throw new ConfigError(`none of the ${model.weights.size} weights of the model is chosen to train`, { kind: "nothing-to-train" });
  const packed = chosen.find(([, t]) => !isFloat(t.dtype) || t.node.op === "dequantize");
  if (packed)
    throw new ConfigError(`${packed[0]} is stored quantised, and cannot train`, {
      kind: "training-option",
      hint: "train an adapter, or load the weights in f32, f16 or bf16",
    });
  return new Weights(model, Object.fromEntries(chosen.map(([name, t]) => [name, cast(t, "f32")])));
}
