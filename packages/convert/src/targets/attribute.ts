import { MatchError } from "@weft/tensor-core";
import type { ConvertModule } from "../conversion/convert-module.js";
import { NAME_MAPS, type Naming } from "@weft/adapter-files/dialects";

/**
 * Under which attribute a pipeline has the denoiser that these modules are for; for none of a denoiser it does not matter.
 * @throws MatchError kind `unknown-model`
 */
export function attributeOf(modules: readonly ConvertModule[], { attribute }: Pick<Naming, "attribute">): "unet" | "transformer" {
  const first = modules.find(({ component }) => component === "denoiser");
  if (attribute || !first) return attribute ?? "unet";
  throw new MatchError(
    `${first.label}: its names are of no image or video model that is known, so whether its pipeline reads them under unet. or transformer. is not known`,
    { kind: "unknown-model", tensor: first.label, hint: `known are ${Object.keys(NAME_MAPS).join(", ")}` },
  );
}
