import { type ConfigJson, fieldsOf } from "../config-fields.js";
import type { FamilySizes, LlamaConfig } from "./llama-config.js";
import { readRope } from "./rope-config.js";

/** Older names of Phi-3's scaling of rotary frequencies, which is longrope whatever they say. */
const LONGROPE = new Set<unknown>(["su", "yarn"]);

/** Phi-3: fused projections, a window in all layers if there is one, longrope. @see transformers `models/phi3/configuration_phi3.py` */
export function phi3(json: ConfigJson, { layers, maxPositions, headDim }: FamilySizes): Partial<LlamaConfig> {
  const { integer } = fieldsOf(json, "config.json");
  const window = json["sliding_window"] === undefined || json["sliding_window"] === null ? undefined : integer("sliding_window");
  const key = json["rope_parameters"] ? "rope_parameters" : "rope_scaling";
  const fields = (json[key] ?? {}) as ConfigJson;
  const type = fields["rope_type"] ?? fields["type"];
  const scaling = LONGROPE.has(type) ? { ...fields, rope_type: "longrope" } : fields;
  return {
    fused: true,
    windows: Array<number | undefined>(layers).fill(window),
    rope: readRope({ original_max_position_embeddings: 4096, ...json, [key]: scaling }, maxPositions, headDim),
  };
}
