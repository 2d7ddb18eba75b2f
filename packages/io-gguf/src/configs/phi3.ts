import { decoderEntries, decoderFields, headDimOf } from "./decoder.js";
import type { Family } from "./family.js";
import { f32, u32 } from "./read-config.js";
import type { Json } from "./read-metadata.js";
import { ropeFields, ropeOf, ropeScaling } from "./rope.js";

/** What Phi-3 was trained with where its config does not say it. */
const ORIGINAL = 4096;

export const PHI3: Family = {
  architecture: "phi3",
  modelTypes: ["phi3"],
  className: "Phi3ForCausalLM",
  async config(read) {
    const { head_dim: _, ...fields } = decoderFields(read);
    return {
      ...fields,
      hidden_act: "silu",
      ...(await ropeFields(read)),
      original_max_position_embeddings: read.own("rope.scaling.original_context_length") ?? ORIGINAL,
      sliding_window: read.own("attention.sliding_window") || null,
    };
  },
  describe(given) {
    // Older configs call longrope by other names.
    const own = (given.json["rope_parameters"] ?? given.json["rope_scaling"] ?? {}) as Json;
    const longrope = Array.isArray(own["long_factor"]);
    const config = given.with({ original_max_position_embeddings: given.optional("original_max_position_embeddings") ?? ORIGINAL });
    config.same("hidden_act", "silu");
    const rope = ropeOf(config, 10000);
    const { entries, tensors = [] } = ropeScaling(config, longrope ? { ...rope, type: "longrope" } : rope, headDimOf(config), true);
    return {
      entries: [
        ...decoderEntries(config.with({ head_dim: undefined }), { normEps: 1e-5 }),
        ["rope.dimension_count", u32(headDimOf(config))],
        ["rope.freq_base", f32(rope.theta)],
        ["attention.sliding_window", u32(config.optional("sliding_window") ?? 0)],
        ...(entries.some(([key]) => key === "rope.scaling.original_context_length")
          ? []
          : ([["rope.scaling.original_context_length", u32(config.number("original_max_position_embeddings"))]] as const)),
        ...entries,
      ],
      tensors,
    };
  },
};
