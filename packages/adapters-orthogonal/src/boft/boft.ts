import {
  add,
  type AdapterMethod,
  cast,
  ConfigError,
  featuresOf,
  forwardWithoutBias,
  isConv,
  type LayerSpec,
  mul,
  type Params,
  type ParameterSpec,
  reshape,
} from "@weft/tensor-core";
import { checkLayer, forwardWeight, keptBlocks, rotatedWidth, transformRows } from "../rotate.js";
import { butterflyRotation } from "./butterfly-rotation.js";
import { BOFT_FIELDS, type BOFTConfigFields } from "./config.js";

/** Blocks of `width` features. @throws ConfigError if they cannot be so divided */
function blocksOf(
  { boftBlockSize: size, boftBlockNum: num, boftNButterflyFactor: m }: BOFTConfigFields,
  width: number,
): [D: number, b: number] {
  if ((size === 0) === (num === 0))
    throw new ConfigError(`BOFT needs either boft_block_size or boft_block_num to be non-zero, got ${size} and ${num}`, {
      hint: "boft_block_size is 4 if not given: set it to 0 where boft_block_num is given",
    });
  const given = size === 0 ? num : size;
  const [D, b] = size === 0 ? [num, width / num] : [width / size, size];
  if (width % given !== 0) throw new ConfigError(`BOFT: ${width} features are not divisible by ${given}`);
  if (m > 1 && (b % 2 !== 0 || width % (b * 2 ** (m - 1)) !== 0))
    throw new ConfigError(`BOFT: ${D} blocks of ${b} cannot have ${m} butterfly factors: b must be even and D divisible by 2^(m-1)`);
  return [D, b];
}

function parameters(config: BOFTConfigFields, layer: LayerSpec): { readonly [name: string]: ParameterSpec } {
  checkLayer("BOFT", layer, ["linear", "conv2d"]);
  const [D, b] = blocksOf(config, rotatedWidth(layer));
  const { out } = featuresOf(layer);
  return {
    R: {
      shape: [config.boftNButterflyFactor, D, b, b],
      init: config.initWeights ? { kind: "zeros" } : { kind: "normal", std: 0.1 },
      trainable: true,
    },
    s: {
      shape: isConv(layer) ? [1, out] : [out, 1],
      init: config.initWeights ? { kind: "ones" } : { kind: "normal", mean: 1, std: 0.1 },
      trainable: true,
    },
  };
}

/**
 * BOFT (Liu et al. 2024): W' = s ⊙ (W·Mᵀ), y = s ⊙ W·(x·M) + bias, with M a product of m butterfly factors of block rotations and a scale
 * s per output, for Linear, Conv1D (fan_in_fan_out) and Conv2d (on in·k·k). PEFT itself runs m > 1 with its CUDA extension only.
 * @see peft `tuners/boft/layer.py`
 */
export const BOFT: AdapterMethod<BOFTConfigFields> = {
  name: "BOFT",
  prefix: "boft_",
  fields: BOFT_FIELDS,
  configFromShapes(config, _, { R }) {
    return R?.length === 4 ? { ...config, boftNButterflyFactor: R[0]!, boftBlockSize: R[2]!, boftBlockNum: 0 } : config;
  },
  parameters,
  keys: () => ({ R: ["boft_R"], s: ["boft_s"] }),
  transform(weight, { R, s }, context) {
    const { weight: turn } = butterflyRotation(R!);
    return transformRows(weight, context, (rows) => mul(turn(rows), reshape(s!, [-1, 1])));
  },
  forward(x, base, stored, context) {
    const { layer, scale, config, mask } = context;
    const R = keptBlocks(stored.R!, config.boftDropout / config.boftNButterflyFactor, mask);
    const params: Params = { ...stored, R };
    if (isConv(layer) || scale !== 1) return forwardWeight(x, base, layer, BOFT.transform!(base.weight, params, context, base.weight)!);
    const y = forwardWithoutBias(layer, base, cast(butterflyRotation(params.R!).input(x), x.dtype));
    const scaled = mul(y, reshape(params.s!, [-1]));
    return cast(base.bias ? add(scaled, base.bias) : scaled, y.dtype);
  },
};
