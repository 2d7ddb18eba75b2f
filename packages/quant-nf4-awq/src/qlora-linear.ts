import {
  ConfigError,
  dequantize,
  type Device,
  loraLinear,
  ShapeError,
  tensor,
  type Tensor,
  torchGenerator,
  torchKaimingUniform,
  zeros,
} from "@weft/tensor-core";
import { flatWeight, type PlainWeight, quantizeNF4, type QuantizeNF4Options } from "./plain.js";
import { type QuantizedWeight, toPacked } from "./quant-format.js";

/** The two factors that are trained: A [r, in], B [out, r]. */
export type QLoraParameters = { readonly loraA: Tensor; readonly loraB: Tensor };

/** How a layer is made. */
export interface QLoraOptions extends QuantizeNF4Options {
  /** Rank of the change. Default 8. */
  readonly r?: number;
  /** The change is scaled by loraAlpha / r. Default 16. */
  readonly loraAlpha?: number;
  /** [out]. */
  readonly bias?: readonly number[] | Float32Array;
  /** Of the first values of A, which are torch's. Default 0. */
  readonly seed?: number;
  readonly device?: Device;
}

/**
 * A linear layer whose weight is frozen in four bits, with a LoRA in f32: y = x·dequant(W)ᵀ + b + (loraAlpha / r)·(x·Aᵀ)·Bᵀ. Gradients reach x, A and B; W is
 * decoded where products read it, forward and backward, and held nowhere else.
 * @see Dettmers et al. 2023 (QLoRA)
 */
export class QLoraLinear {
  /** The frozen weight. */
  readonly weight: QuantizedWeight;
  readonly bias: Tensor | undefined;
  readonly r: number;
  readonly scaling: number;
  /** Neighbours of the weight that share a scale. */
  readonly groupSize: number;
  private readonly base: Tensor;
  private trained: QLoraParameters;

  private constructor(weight: QuantizedWeight, options: QLoraOptions) {
    const { r = 8, loraAlpha = 16, bias, seed = 0, groupSize = 64, device } = options;
    const [out, width] = weight.shape;
    if (!Number.isInteger(r) || r < 1) throw new ConfigError(`r is ${r}, expected a whole number from 1 on`);
    if (bias && bias.length !== out) throw new ShapeError(`the bias has ${bias.length} numbers, the weight [${weight.shape}] gives ${out}`);
    this.weight = weight;
    this.bias = bias && tensor(Float32Array.from(bias), { ...(device && { device }) });
    this.r = r;
    this.scaling = loraAlpha / r;
    this.groupSize = groupSize;
    this.base = dequantize(toPacked(weight, device));
    const a = torchKaimingUniform(torchGenerator(BigInt(seed)), [r, width]);
    this.trained = { loraA: tensor(a, { shape: [r, width], ...(device && { device }) }), loraB: zeros([out, r]) };
  }

  /** Quantises a weight [out, in] to NF4 and puts a new LoRA beside it, which changes nothing yet. @throws as `quantizeNF4`; ConfigError, ShapeError */
  static fromWeight(weight: PlainWeight, options: QLoraOptions = {}): QLoraLinear {
    return new QLoraLinear(quantizeNF4(flatWeight(weight), options), options);
  }

  /** What is trained. */
  parameters(): QLoraParameters {
    return this.trained;
  }

  /** Takes over trained factors. @throws ShapeError */
  setParameters(parameters: QLoraParameters): void {
    for (const name of ["loraA", "loraB"] as const)
      if (parameters[name].shape.join() !== this.trained[name].shape.join())
        throw new ShapeError(`${name} is [${parameters[name].shape}], expected [${this.trained[name].shape}]`);
    this.trained = parameters;
  }

  /** How many numbers are trained: r · (in + out). */
  get trainableParameters(): number {
    return this.r * (this.weight.shape[0] + this.weight.shape[1]);
  }

  /** x […, in] → […, out]. @param parameters others than its own, so that gradients can be taken with respect to them */
  forward(x: Tensor, { loraA, loraB }: QLoraParameters = this.trained): Tensor {
    return loraLinear(x, this.base, loraA, loraB, this.scaling, this.bias);
  }
}
