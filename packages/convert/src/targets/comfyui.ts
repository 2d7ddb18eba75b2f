import { COMFYUI } from "@weft/adapter-files/dialects";
import { keptMetadata } from "./kohya-metadata.js";
import { asLycoris } from "./lycoris-module.js";
import { namedTensors } from "./named-tensors.js";
import type { ConvertTarget } from "./target.js";

/** Methods that ComfyUI has a weight adapter for. @see ComfyUI `comfy/weight_adapter/` */
const KNOWN: ReadonlySet<string> = new Set(["LOCON", "LOHA", "LOKR", "FULL", "NORM", "DIAG_OFT", "LYCORIS_BOFT", "LYCORIS_GLORA"]);

/** ComfyUI's generic form: paths of the original checkpoint. */
export const TO_COMFYUI: ConvertTarget = {
  name: "comfyui",
  style: "original",
  fit: (module) => (KNOWN.has(module.method) ? asLycoris(module, "ComfyUI") : `ComfyUI does not load ${module.method}`),
  write(modules, { source }) {
    const { tensors, modules: named, losses } = namedTensors(modules, COMFYUI, true);
    return {
      files: [{ path: "lora.safetensors", tensors, metadata: keptMetadata(source.metadata), modules: named, hashed: false }],
      losses,
    };
  },
};
