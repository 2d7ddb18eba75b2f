import { ConfigError } from "@weft/tensor-core";
import { type ConfigJson, fieldsOf } from "../config-fields.js";

/** How rotary frequencies are scaled, with the numbers of the type. Formulas: `rope.ts`. */
export type RopeConfig = { readonly theta: number } & (
  | { readonly type: "default" }
  | { readonly type: "linear" | "dynamic"; readonly factor: number }
  | {
      readonly type: "llama3";
      readonly factor: number;
      readonly lowFrequency: number;
      readonly highFrequency: number;
      readonly original: number;
    }
  | {
      readonly type: "yarn";
      readonly factor: number;
      readonly original: number;
      readonly betaFast: number;
      readonly betaSlow: number;
      readonly truncate: boolean;
      readonly attentionFactor: number;
    }
  | {
      readonly type: "longrope";
      readonly original: number;
      readonly short: readonly number[];
      readonly long: readonly number[];
      readonly attentionFactor: number;
    }
);

/**
 * Rotary parameters in both dialects: transformers 5 writes one object `rope_parameters`; up to 4.x it was `rope_theta` beside `rope_scaling`
 * with `rope_type` or `type`.
 * @see transformers `modeling_rope_utils.py`
 * @throws ConfigError naming the field
 */
export function readRope(json: ConfigJson, maxPositions: number, headDim: number): RopeConfig {
  const found = json["rope_parameters"] ?? json["rope_scaling"] ?? {};
  if (typeof found !== "object" || Array.isArray(found))
    throw new ConfigError(`config.json: rope_parameters is ${JSON.stringify(found)}, expected an object`, { kind: "config-schema" });
  const fields = found as ConfigJson;
  const where = `config.json: ${json["rope_parameters"] ? "rope_parameters" : "rope_scaling"}`;
  const { positive, integer, flag, same } = fieldsOf(fields, where);
  fieldsOf(json, "config.json").same("partial_rotary_factor", 1);
  same("partial_rotary_factor", 1);

  const theta = fields["rope_theta"] === undefined ? fieldsOf(json, "config.json").positive("rope_theta", 10_000) : positive("rope_theta");
  const type = (fields["rope_type"] ?? fields["type"] ?? "default") as RopeConfig["type"];
  // A field of the whole config goes before that of the object, as in transformers.
  const original = (): number =>
    json["original_max_position_embeddings"] === undefined
      ? integer("original_max_position_embeddings", maxPositions)
      : fieldsOf(json, "config.json").integer("original_max_position_embeddings");
  switch (type) {
    case "default":
      return { theta, type };
    case "linear":
    case "dynamic":
      return { theta, type, factor: positive("factor") };
    case "llama3":
      return {
        theta,
        type,
        factor: positive("factor"),
        lowFrequency: positive("low_freq_factor"),
        highFrequency: positive("high_freq_factor"),
        original: original(),
      };
    case "yarn": {
      const factor = positive("factor", maxPositions / original());
      const scale = (m: number): number => (factor <= 1 ? 1 : 0.1 * m * Math.log(factor) + 1);
      const both = fields["mscale"] && fields["mscale_all_dim"];
      const implied = both ? scale(positive("mscale")) / scale(positive("mscale_all_dim")) : scale(1);
      return {
        theta,
        type,
        factor,
        original: original(),
        betaFast: positive("beta_fast", 32),
        betaSlow: positive("beta_slow", 1),
        truncate: flag("truncate", true),
        attentionFactor: positive("attention_factor", implied),
      };
    }
    case "longrope": {
      const factor = positive("factor", maxPositions / original());
      const implied = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original()));
      const list = (name: string): readonly number[] => {
        const value = fields[name];
        if (Array.isArray(value) && value.length === headDim / 2 && value.every((x) => typeof x === "number" && x > 0))
          return value as number[];
        throw new ConfigError(`${where}: ${name} must be ${headDim / 2} numbers above 0, one per pair of a head`, {
          kind: "config-schema",
        });
      };
      return {
        theta,
        type,
        original: original(),
        short: list("short_factor"),
        long: list("long_factor"),
        attentionFactor: positive("attention_factor", implied),
      };
    }
    default:
      throw new ConfigError(`${where}: rope type is ${JSON.stringify(type)}, expected default, linear, dynamic, yarn, llama3 or longrope`, {
        kind: "unsupported-model",
      });
  }
}
