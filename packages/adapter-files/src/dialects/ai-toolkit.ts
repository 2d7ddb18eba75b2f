import { COMFYUI, COMFYUI_PREFIXES } from "./comfyui.js";
import type { Dialect } from "./dialect.js";
import { DIFFUSERS, DIFFUSERS_PREFIXES } from "./diffusers.js";
import { dottedDialect } from "./dotted-dialect.js";

/** ostris/ai-toolkit: diffusers' or ComfyUI's names, with `.magnitude` for DoRA. */
export const AI_TOOLKIT: Dialect = (() => {
  const own = dottedDialect("ai-toolkit", [...DIFFUSERS_PREFIXES, ...COMFYUI_PREFIXES], new Map([["magnitude", "dora_scale"]]), undefined, {
    example: "transformer.transformer_blocks.0.attn.to_q.magnitude",
    includes: ["diffusers", "comfyui"],
  });
  return {
    ...own,
    claims: ({ metadata }) => (/ai-toolkit/i.test(metadata.get("software") ?? "") ? "its metadata names ai-toolkit" : undefined),
    readKey: (name) => own.readKey(name) ?? DIFFUSERS.readKey(name) ?? COMFYUI.readKey(name),
  };
})();
