import { FLUX } from "./flux.js";
import type { Family, NameMap } from "./name-map.js";
import { SD3 } from "./sd3.js";
import { SD, SDXL } from "./unet.js";

export const NAME_MAPS: { readonly [F in Family]: NameMap } = { sd: SD, sdxl: SDXL, flux: FLUX, sd3: SD3 };

/** What module names say about the denoiser that they belong to. */
export interface Naming {
  /** Undefined for a model that has one kind of names only, or if there are several candidates. */
  readonly family: Family | undefined;
  readonly candidates: readonly Family[];
  readonly style: "original" | "diffusers";
}

const ORIGINAL: readonly (readonly [RegExp, Family])[] = [
  [/^(double|single)_blocks[._]/, "flux"],
  [/^joint_blocks[._]/, "sd3"],
  [/^(input_blocks|middle_block|output_blocks|label_emb)[._]/, "sdxl"],
];
const UNET = /^(down_blocks|up_blocks|mid_block|time_embedding|add_embedding)[._]/;
/** SD 1 and 2 have one transformer block per attention, SDXL up to ten and an embedding of sizes. */
const SDXL_ONLY =
  /^(add_embedding|label_emb)[._]|[._]attentions[._]\d+[._]transformer_blocks[._][1-9]|^(?:input|output)_blocks[._]\d+[._]1[._]transformer_blocks[._][1-9]/;
const TRANSFORMER = /^transformer_blocks[._]\d+[._]/;

/**
 * The family and style of a denoiser's module paths, dotted or flat. Original UNet names are taken for SDXL's, as kohya uses them for nothing else.
 * @param widths input features of the modules named `…to_q` and the like, where known: they tell Flux (3072) from SD3 (1536, 2432)
 */
export function namingOf(
  paths: readonly string[],
  options: { readonly secondEncoder?: boolean; readonly widths?: readonly number[] } = {},
): Naming {
  for (const [pattern, family] of ORIGINAL) if (paths.some((path) => pattern.test(path))) return of(family, "original");
  if (paths.some((path) => UNET.test(path)))
    return of(options.secondEncoder || paths.some((path) => SDXL_ONLY.test(path)) ? "sdxl" : "sd", "diffusers");
  if (paths.some((path) => /^single_transformer_blocks[._]/.test(path))) return of("flux", "diffusers");
  if (!paths.some((path) => TRANSFORMER.test(path))) return of(undefined, "diffusers");
  if (paths.some((path) => /[._]attn2[._]/.test(path))) return of("sd3", "diffusers");
  const widths = new Set(options.widths);
  if (widths.has(3072)) return of("flux", "diffusers");
  if (widths.has(1536) || widths.has(2432)) return of("sd3", "diffusers");
  return { family: undefined, candidates: ["flux", "sd3"], style: "diffusers" };
}

const of = (family: Family | undefined, style: Naming["style"]): Naming => ({ family, style, candidates: family ? [family] : [] });

/** Path beginnings that belong to a denoiser, whatever the file says. */
export const isDenoiserPath = (path: string): boolean =>
  UNET.test(path) ||
  TRANSFORMER.test(path) ||
  /^single_transformer_blocks[._]/.test(path) ||
  ORIGINAL.some(([pattern]) => pattern.test(path));
