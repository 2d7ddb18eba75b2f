import type { FamilyNames, NameRow } from "./name-map.js";
import { pairs } from "./rows.js";

/** Resnets per block; a down block has so many, an up block one more. */
const LAYERS = 2;

const RESNET = {
  "in_layers.0": "norm1",
  "in_layers.2": "conv1",
  "out_layers.0": "norm2",
  "out_layers.3": "conv2",
  "emb_layers.1": "time_emb_proj",
  skip_connection: "conv_shortcut",
};

const OUTSIDE = {
  "input_blocks.0.0": "conv_in",
  "out.0": "conv_norm_out",
  "out.2": "conv_out",
  "time_embed.0": "time_embedding.linear_1",
  "time_embed.2": "time_embedding.linear_2",
};

/** What an attention holds, in both. @param block of its transformer: 0, or `#` for any */
const attentionNames = (block: string): string[] => [
  "norm",
  "proj_in",
  "proj_out",
  ...[
    "norm1",
    "norm2",
    "norm3",
    "ff.net.0.proj",
    "ff.net.2",
    ...["attn1", "attn2"].flatMap((name) => ["to_q", "to_k", "to_v", "to_out.0"].map((projection) => `${name}.${projection}`)),
  ].map((name) => `transformer_blocks.${block}.${name}`),
];

const resnet = (original: string, diffusers: string): NameRow[] => pairs(`${original}.`, `${diffusers}.`, RESNET);
/**
 * @param attended by level, whether its blocks have attention; the first level is that of the full size
 * @param block numbers of the blocks of an attention: 0, or `#` for any
 */
function unetRows(attended: readonly boolean[], block: string): NameRow[] {
  const names = Object.fromEntries(attentionNames(block).map((name) => [name, name]));
  const attention = (original: string, diffusers: string): NameRow[] => pairs(`${original}.`, `${diffusers}.`, names);
  const rows = [
    ...pairs("", "", OUTSIDE),
    ...resnet("middle_block.0", "mid_block.resnets.0"),
    ...attention("middle_block.1", "mid_block.attentions.0"),
    ...resnet("middle_block.2", "mid_block.resnets.1"),
  ];
  for (const [level, hasAttention] of attended.entries()) {
    const up = attended.length - 1 - level;
    for (let layer = 0; layer <= LAYERS; layer++) {
      const [input, output] = [(LAYERS + 1) * level + layer + 1, (LAYERS + 1) * up + layer];
      if (layer < LAYERS) {
        rows.push(...resnet(`input_blocks.${input}.0`, `down_blocks.${level}.resnets.${layer}`));
        if (hasAttention) rows.push(...attention(`input_blocks.${input}.1`, `down_blocks.${level}.attentions.${layer}`));
      } else if (up > 0) rows.push({ original: `input_blocks.${input}.0.op`, diffusers: `down_blocks.${level}.downsamplers.0.conv` });
      rows.push(...resnet(`output_blocks.${output}.0`, `up_blocks.${up}.resnets.${layer}`));
      if (hasAttention) rows.push(...attention(`output_blocks.${output}.1`, `up_blocks.${up}.attentions.${layer}`));
      if (layer === LAYERS && level > 0)
        rows.push({ original: `output_blocks.${output}.${hasAttention ? 2 : 1}.conv`, diffusers: `up_blocks.${up}.upsamplers.0.conv` });
    }
  }
  return rows;
}

/** Projections of the text. */
const CONTEXT = /[._]attn2[._]to_[kv]$/;

/** Stable Diffusion 1 and 2. @see diffusers `loaders/single_file_utils.py` convert_ldm_unet_checkpoint */
export const SD: FamilyNames = {
  family: "sd",
  attribute: "unet",
  classes: ["UNet2DConditionModel", "UNetMotionModel", "ControlNetModel"],
  inputs: [CONTEXT, [768, 1024]],
  rows: unetRows([true, true, true, false], "0"),
};
/** Stable Diffusion XL: an embedding of sizes, and three levels, the first without attention. */
export const SDXL: FamilyNames = {
  family: "sdxl",
  attribute: "unet",
  classes: ["UNet2DConditionModel", "UNetMotionModel", "ControlNetModel"],
  inputs: [CONTEXT, [2048]],
  rows: [...unetRows([false, true, true], "#"), ...pairs("label_emb.0.", "add_embedding.", { 0: "linear_1", 2: "linear_2" })],
};
