import { methodTable, type MethodTable } from "@weft/tensor-core";
import { LYCORIS_METHODS } from "./lycoris.js";
import { PEFT_METHODS } from "./peft.js";

/** Every method that an adapter may have: PEFT's by `peft_type`, and LyCORIS's own. */
export const ADAPTER_METHODS: MethodTable = /* @__PURE__ */ methodTable(PEFT_METHODS, LYCORIS_METHODS);
