import { ConfigError, type LayerSpec, type Params, type Tensor, type TorchGenerator, torchRandperm } from "@weft/tensor-core";
import { truncatedSvd } from "@weft/tensor-core/linalg";
import { hostMatrix, pickColumns, pickRows, range, toTensor } from "../init/host-matrix.js";
import { type LoraConfigFields, loraScaling } from "../lora/config.js";
import type { LoraGaFields } from "../lora/sub-configs.js";

const DEFAULTS: LoraGaFields = { direction: "ArB2r", scale: "stable", stableGamma: 16 };

/** Which of the 2r largest components A and B take. */
function directions(direction: LoraGaFields["direction"], r: number, generator: TorchGenerator): readonly [A: number[], B: number[]] {
  const [first, second] = [range(r), range(r, r)];
  if (direction === "ArB2r") return [first, second];
  if (direction === "A2rBr") return [second, first];
  if (direction === "ArBr") return [first.map((i) => 2 * i + 1), first.map((i) => 2 * i)];
  const drawn = [...torchRandperm(generator, 2 * r, r)];
  return [drawn, drawn];
}

/**
 * LoRA-GA (Wang et al. 2024): G = U·S·Vᵀ of the gradient of the weight; A = rows of Vᵀ, B = columns of U·S, by `direction`, scaled by `scale`. s·B·A is taken
 * out of the base.
 * @param gradient of the loss by the weight, in its shape
 * @see peft `tuners/lora/layer.py` lora_ga_init
 */
export async function loraGaFactors(
  config: LoraConfigFields,
  layer: LayerSpec,
  weight: Tensor,
  gradient: Tensor,
  generator: TorchGenerator,
): Promise<Params> {
  const { direction, scale, stableGamma } = config.loraGaConfig ?? DEFAULTS;
  const { r } = config;
  const g = await hostMatrix(gradient, layer);
  if (2 * r > Math.min(g.rows, g.cols))
    throw new ConfigError(`LoRA-GA takes 2r = ${2 * r} components, but the weight's smaller side is ${Math.min(g.rows, g.cols)}`);
  const { u, s, vt } = truncatedSvd(g, 2 * r);
  const [inA, inB] = directions(direction, r, generator);
  const strengths = inB.map((i) => s[i]!);
  let [a, b] = [1, 1];
  if (scale === "stable") b = layer.shape[0]! ** 0.25 / Math.sqrt(stableGamma);
  else if (scale === "gd_scale") a = b = 1 / loraScaling(config);
  else if (scale === "weight_svd" && strengths[0]! > 0) b = truncatedSvd(await hostMatrix(weight, layer), 1).s[0]! / strengths[0]!;
  return {
    A: toTensor(
      pickRows(
        vt,
        inA,
        inA.map(() => a),
      ),
    ),
    B: toTensor(
      pickColumns(
        u,
        inB,
        strengths.map((value) => value * b),
      ),
    ),
  };
}
