import { AI_TOOLKIT } from "./ai-toolkit.js";
import { COMFYUI } from "./comfyui.js";
import { CONTROL_LORA } from "./control-lora.js";
import type { Dialect, DialectName } from "./dialect.js";
import { DIFFUSERS, DIFFUSERS_MIDDLE, DIFFUSERS_OLD } from "./diffusers.js";
import { KOHYA } from "./kohya.js";
import { LYCORIS } from "./lycoris.js";
import { MLX } from "./mlx.js";
import { ONETRAINER } from "./onetrainer.js";
import { OWN_PATHS } from "./own-paths.js";
import { PEFT } from "./peft.js";
import { XLABS } from "./xlabs.js";

/** Every key scheme that is read, by name. */
export const DIALECTS: ReadonlyMap<DialectName, Dialect> = new Map(
  [
    PEFT,
    KOHYA,
    LYCORIS,
    DIFFUSERS,
    DIFFUSERS_MIDDLE,
    DIFFUSERS_OLD,
    COMFYUI,
    CONTROL_LORA,
    AI_TOOLKIT,
    ONETRAINER,
    XLABS,
    OWN_PATHS,
    MLX,
  ].map((dialect) => [dialect.name, dialect]),
);
