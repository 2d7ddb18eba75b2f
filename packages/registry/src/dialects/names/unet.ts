import type { Family, NameMap } from "./name-map.js";

/** Resnets per block; a down block has so many, an up block one more. */
const LAYERS = 2;

const RESNET: readonly (readonly [original: string, diffusers: string])[] = [
  ["in_layers.0", "norm1"],
  ["in_layers.2", "conv1"],
  ["out_layers.0", "norm2"],
  ["out_layers.3", "conv2"],
  ["emb_layers.1", "time_emb_proj"],
  ["skip_connection", "conv_shortcut"],
];

const OUTSIDE: readonly (readonly [original: string, diffusers: string])[] = [
  ["input_blocks.0.0", "conv_in"],
  ["out.0", "conv_norm_out"],
  ["out.2", "conv_out"],
  ["time_embed.0", "time_embedding.linear_1"],
  ["time_embed.2", "time_embedding.linear_2"],
  ["label_emb.0.0", "add_embedding.linear_1"],
  ["label_emb.0.2", "add_embedding.linear_2"],
];

const renamed = (table: readonly (readonly [string, string])[], name: string, from: 0 | 1): string | undefined =>
  table.find((row) => row[from] === name)?.[1 - from];

function toDiffusers(path: string): string | undefined {
  const outside = renamed(OUTSIDE, path, 0);
  if (outside !== undefined) return outside;
  const [, m, inner] = /^middle_block\.([012])\.(.+)$/.exec(path) ?? [];
  if (m === "1") return `mid_block.attentions.0.${inner}`;
  if (m !== undefined) return resnet("mid_block", Number(m) / 2, inner!);
  const [, side, i, j, rest] = /^(input|output)_blocks\.(\d+)\.([012])\.(.+)$/.exec(path) ?? [];
  const at = Number(i) - (side === "input" ? 1 : 0);
  if (side === undefined || at < 0) return undefined;
  const [block, layer] = [Math.floor(at / (LAYERS + 1)), at % (LAYERS + 1)];
  const place = `${side === "input" ? "down" : "up"}_blocks.${block}`;
  if (side === "input" && j === "0" && rest === "op") return `${place}.downsamplers.0.conv`;
  if (side === "output" && j !== "0" && rest === "conv") return `${place}.upsamplers.0.conv`;
  return j === "0" ? resnet(place, layer, rest!) : `${place}.attentions.${layer}.${rest}`;
}

function resnet(place: string, layer: number, original: string): string | undefined {
  const name = renamed(RESNET, original, 0);
  return name && `${place}.resnets.${layer}.${name}`;
}

/** @param bare up blocks without attention: their upsampler has index 1, not 2 */
function toOriginal(path: string, bare: readonly number[]): string | undefined {
  const outside = renamed(OUTSIDE, path, 1);
  if (outside !== undefined) return outside;
  const [, middle, m, tail] = /^mid_block\.(resnets|attentions)\.([01])\.(.+)$/.exec(path) ?? [];
  if (middle === "attentions") return m === "0" ? `middle_block.1.${tail}` : undefined;
  if (middle === "resnets") {
    const name = renamed(RESNET, tail!, 1);
    return name && `middle_block.${2 * Number(m)}.${name}`;
  }
  const [, side, b, kind, l, rest] =
    /^(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)$/.exec(path) ?? [];
  if (side === undefined) return undefined;
  const block = Number(b);
  const at = (LAYERS + 1) * block + Number(l);
  if (kind === "downsamplers") return rest === "conv" ? `input_blocks.${(LAYERS + 1) * (block + 1)}.0.op` : undefined;
  if (kind === "upsamplers")
    return rest === "conv" ? `output_blocks.${(LAYERS + 1) * block + LAYERS}.${bare.includes(block) ? 1 : 2}.conv` : undefined;
  const place = side === "down" ? `input_blocks.${at + 1}` : `output_blocks.${at}`;
  if (kind === "attentions") return `${place}.1.${rest}`;
  const name = renamed(RESNET, rest!, 1);
  return name && `${place}.0.${name}`;
}

const unet = (family: Family, bare: readonly number[]): NameMap => ({
  family,
  toDiffusers(path) {
    const name = toDiffusers(path);
    return name === undefined ? undefined : [{ path: name }];
  },
  toOriginal(path) {
    const name = toOriginal(path, bare);
    return name === undefined ? undefined : { path: name };
  },
});

/** Stable Diffusion 1 and 2. @see diffusers `loaders/lora_conversion_utils.py`, ComfyUI `comfy/utils.py` unet_to_diffusers */
export const SD: NameMap = unet("sd", [0]);
/** Stable Diffusion XL: two down blocks with attention, up blocks 0 and 1 with attention. */
export const SDXL: NameMap = unet("sdxl", []);
