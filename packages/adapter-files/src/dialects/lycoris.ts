import { flatDialect } from "./flat-dialect.js";

/** LyCORIS's wrapper around any model. @see lycoris `wrapper.py` */
export const LYCORIS: ReturnType<typeof flatDialect> = flatDialect("lycoris", [["lycoris_", "model"]], {
  example: "lycoris_model_layers_0_self_attn_q_proj.lokr_w1",
  includes: [],
});
