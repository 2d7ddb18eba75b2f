import { ConfigError } from "@weft/tensor-core";
import { type ConfigJson, fieldsOf } from "../config-fields.js";
import { layerTypes } from "./layer-types.js";
import type { FamilySizes, LlamaConfig } from "./llama-config.js";
import { readRope } from "./rope-config.js";

/** SmolLM3: no rotary embedding in every fourth layer. @see transformers `models/smollm3/configuration_smollm3.py` */
export function smolLM3(json: ConfigJson, { layers, maxPositions, headDim }: FamilySizes): Partial<LlamaConfig> {
  const { integer, flag } = fieldsOf(json, "config.json");
  const rotated = rotatedLayers(json, layers);
  const sliding = flag("use_sliding_window") && json["sliding_window"] !== undefined && json["sliding_window"] !== null;
  const types = layerTypes(json, layers);
  const rope = readRope({ ...json, rope_theta: json["rope_theta"] ?? 2e6 }, maxPositions, headDim);
  return {
    rope,
    ropes: rotated.map((own) => (own ? rope : undefined)),
    windows: rotated.map((own, i) =>
      sliding && (types ? types[i] === "sliding_attention" : !own) ? integer("sliding_window") : undefined,
    ),
  };
}

/** Whether a layer has a rotary embedding: `no_rope_layers` has 1 for those that do. */
function rotatedLayers(json: ConfigJson, layers: number): boolean[] {
  const given = json["no_rope_layers"] ?? undefined;
  const interval = fieldsOf(json, "config.json").integer("no_rope_layer_interval", 4);
  if (given === undefined) return Array.from({ length: layers }, (_, i) => (i + 1) % interval !== 0);
  if (!Array.isArray(given) || given.length < layers || given.some((own) => own !== 0 && own !== 1))
    throw new ConfigError(`config.json: no_rope_layers is ${JSON.stringify(given)}, expected 0 or 1 for each of ${layers} layers`, {
      kind: "config-schema",
    });
  return given.slice(0, layers).map((own) => own === 1);
}
