import { DIAG_OFT, FULL, LOCON, LOHA, LOKR, LYCORIS_BOFT, LYCORIS_GLORA, LYCORIS_IA3, NORM, TLORA } from "@weft/adapters-lycoris";
import { methodTable, type MethodTable } from "@weft/tensor-core";
import { LORA_METHODS } from "./lora.js";

/** What files of LyCORIS and of its kind (kohya, ComfyUI, diffusers …) hold: diffusers' LoRAs are PEFT's. */
export const LYCORIS_METHODS: MethodTable = /* @__PURE__ */ methodTable(
  LORA_METHODS,
  LOCON,
  LOHA,
  LOKR,
  FULL,
  NORM,
  DIAG_OFT,
  LYCORIS_BOFT,
  LYCORIS_GLORA,
  LYCORIS_IA3,
  TLORA,
);
