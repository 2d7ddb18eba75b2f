import type { Dialect } from "./dialect.js";
import { splitPrefix } from "./prefixes.js";
import { splitSuffix, type SuffixTable } from "./suffixes.js";

const SUFFIXES: SuffixTable = new Map([
  ["down.weight", "lora_down.weight"],
  ["up.weight", "lora_up.weight"],
  ["alpha", "alpha"],
]);

/** What a processor's factors belong to: 1 is the image's stream, 2 the text's. */
const MODULES: ReadonlyMap<string, string> = new Map([
  ["qkv_lora1", "img_attn.qkv"],
  ["proj_lora1", "img_attn.proj"],
  ["qkv_lora2", "txt_attn.qkv"],
  ["proj_lora2", "txt_attn.proj"],
  ["qkv_lora", "linear1_qkv"],
  ["proj_lora", "linear2"],
]);

/** XLabs' adapters of FLUX.1: parameters of attention processors under the original's blocks. @see ComfyUI `comfy/lora_convert.py` convert_uso_lora */
export const XLABS: Dialect = {
  name: "xlabs",
  example: "double_blocks.0.processor.qkv_lora1.down.weight",
  includes: [],
  readKey(name) {
    const suffix = splitSuffix(name, SUFFIXES);
    const path = suffix && (splitPrefix(suffix.module, [["diffusion_model.", "denoiser"]])?.path ?? suffix.module);
    const [, block, processor] = /^((?:double|single)_blocks\.\d+)\.processor\.(\w+)$/.exec(path ?? "") ?? [];
    const inner = processor === undefined ? undefined : MODULES.get(processor);
    if (inner === undefined) return undefined;
    return { module: suffix!.module, component: "denoiser", path: `${block}.${inner}`, flat: false, parameter: suffix!.parameter };
  },
};
