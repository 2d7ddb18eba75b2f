import { ConfigError } from "@weft/tensor-core";
import type { ConfigJson } from "../config-fields.js";

/** Kinds of attention per layer, if the config says them. */
export type LayerType = "full_attention" | "sliding_attention";

/** `layer_types`; undefined if the field is not there. @throws ConfigError unless it names a kind for each layer */
export function layerTypes(json: ConfigJson, layers: number): readonly LayerType[] | undefined {
  const types = json["layer_types"] ?? undefined;
  if (types === undefined) return undefined;
  if (Array.isArray(types) && types.length === layers && types.every((t) => t === "full_attention" || t === "sliding_attention"))
    return types as LayerType[];
  throw new ConfigError(
    `config.json: layer_types is ${JSON.stringify(types)}, expected ${layers} entries, each "full_attention" or "sliding_attention"`,
    { kind: "config-schema" },
  );
}
