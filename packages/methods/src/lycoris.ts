import { DYLORA, LYCORIS_ALGORITHMS } from "@weft/adapters-lycoris";
import { methodTable, type MethodTable } from "@weft/tensor-core";
import { LORA_METHODS } from "./lora.js";

/** What files of LyCORIS and of its kind (kohya, ComfyUI, diffusers …) hold: diffusers' LoRAs are PEFT's; and DyLoRA, whose files are LoCon's, to train with. */
export const LYCORIS_METHODS: MethodTable = /* @__PURE__ */ methodTable(LORA_METHODS, LYCORIS_ALGORITHMS, DYLORA);
