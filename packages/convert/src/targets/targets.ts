import { TO_COMFYUI } from "./comfyui.js";
import { TO_DIFFUSERS } from "./diffusers.js";
import { TO_KOHYA } from "./kohya.js";
import { TO_LYCORIS } from "./lycoris.js";
import { TO_MLX } from "./mlx.js";
import { TO_PEFT } from "./peft.js";
import type { ConvertTarget, TargetName } from "./target.js";

/** How each dialect of `TARGET_NAMES` is written. */
export const TARGETS: ReadonlyMap<TargetName, ConvertTarget> = new Map(
  [TO_PEFT, TO_KOHYA, TO_DIFFUSERS, TO_LYCORIS, TO_COMFYUI, TO_MLX].map((target) => [target.name, target]),
);
