import {
  type AdapterMethod,
  blockRotate,
  broadcastTo,
  cast,
  ConfigError,
  forwardBase,
  isConv,
  type LayerSpec,
  type ParameterSpec,
  swapLast,
  type Tensor,
} from "@weft/tensor-core";
import { blend, checkLayer, forwardRotatedInput, forwardWeight, keptBlocks, rotatedWidth, transformRows } from "../rotate.js";
import { blockSize, blockSizeOf } from "./block-size.js";
import { OFT_FIELDS, type OFTConfigFields } from "./config.js";
import { rotationBlocks } from "./rotation-blocks.js";

function parameters(config: OFTConfigFields, layer: LayerSpec): { readonly [name: string]: ParameterSpec } {
  checkLayer("OFT", layer, ["linear", "conv2d", "embedding"]);
  const width = rotatedWidth(layer);
  const b = blockSize(config, width);
  return {
    R: {
      shape: [config.blockShare ? 1 : width / b, (b * (b - 1)) / 2],
      init: config.initWeights ? { kind: "zeros" } : { kind: "normal", std: 0.1 },
      trainable: true,
    },
  };
}

/** Turns x and rows of the weight, whose last axis has all features. Shared blocks are repeated for the weight, so that its rows can be cut. */
function turns(R: Tensor): { input(x: Tensor): Tensor; weight(rows: Tensor): Tensor; output(rows: Tensor): Tensor } {
  const repeated = (rows: Tensor): Tensor => {
    const [, b] = R.shape as [number, number, number];
    return broadcastTo(R, [rows.shape.at(-1)! / b, b, b]);
  };
  return {
    input: (x) => blockRotate(x, R),
    weight: (rows) => blockRotate(rows, swapLast(repeated(rows))),
    output: (rows) => blockRotate(rows, repeated(rows)),
  };
}

/**
 * OFT (Qiu et al. 2023; in PEFT's form OFTv2, Qiu et al. 2025): W' = W·blockdiag(R)ᵀ, y = W·(x·blockdiag(R)), with rotations R [b, b] that are
 * Cayley transforms of skew-symmetric blocks, for Linear, Conv1D (fan_in_fan_out), Conv2d (on in·k·k) and Embedding (W' = W·blockdiag(R)).
 * A convolution follows its merged weight; PEFT's unmerged one overlaps patches and differs for k > 1, even with a zero adapter.
 * @see peft `tuners/oft/layer.py`
 */
export const OFT: AdapterMethod<OFTConfigFields> = {
  name: "OFT",
  prefix: "oft_",
  fields: OFT_FIELDS,
  configFromShapes(config, layer, { R, legacy }) {
    if (legacy)
      throw new ConfigError("oft_r is from PEFT 0.15 or older, whose OFT was another function of its parameters", {
        hint: "train again with a newer PEFT; newer ones refuse such a file too",
      });
    if (R?.length !== 2) return config;
    const oftBlockSize = blockSizeOf(R[1]!);
    return { ...config, r: 0, oftBlockSize, blockShare: R[0] === 1 && oftBlockSize < rotatedWidth(layer) };
  },
  checkNew({ r, oftBlockSize }, layer) {
    const [width, given] = [rotatedWidth(layer), r === 0 ? oftBlockSize : r];
    if (width % given === 0) return [];
    const b = blockSize({ r, oftBlockSize }, width);
    return [`${r === 0 ? "oft_block_size" : "r"} ${given} does not divide ${width} features: ${width / b} blocks of ${b} are made`];
  },
  parameters,
  keys: ({ kind }) => ({ R: [kind === "embedding" ? "oft_embedding_R.weight" : "oft_R.weight"], legacy: ["oft_r"] }),
  transform(weight, { R }, context) {
    const { weight: turned, output } = turns(rotationBlocks(R!, context.config));
    return transformRows(weight, context, context.layer.kind === "embedding" ? output : turned);
  },
  forward(x, base, stored, context) {
    const { layer, config, mask } = context;
    // One block for all is kept, as PEFT's dropout would.
    const params = { ...stored, R: stored.R!.shape[0] === 1 ? stored.R! : keptBlocks(stored.R!, config.moduleDropout, mask) };
    if (isConv(layer)) return forwardWeight(x, base, layer, OFT.transform!(base.weight, params, context, base.weight)!);
    const rotation = turns(rotationBlocks(params.R, config));
    if (layer.kind === "linear") return forwardRotatedInput(x, base, context, rotation);
    const y = forwardBase(layer, base, x);
    return cast(blend(y, rotation.input(y), context.scale), y.dtype);
  },
};
