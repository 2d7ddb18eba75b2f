import { DIAG_OFT, FULL, LOCON, LYCORIS_BOFT, LYCORIS_GLORA, LYCORIS_IA3, NORM, TLORA } from "@weft/adapters-lycoris";
import { type MethodEntry, methodEntry, type MethodTable, PEFT_METHODS } from "../methods.js";

/** Methods that files of LyCORIS's kind hold and PEFT does not have; LoHa and LoKr are PEFT's as well. */
const LYCORIS_ENTRIES: readonly MethodEntry[] = [
  methodEntry(DIAG_OFT),
  methodEntry(FULL),
  methodEntry(LOCON),
  methodEntry(LYCORIS_BOFT),
  methodEntry(LYCORIS_GLORA),
  methodEntry(LYCORIS_IA3),
  methodEntry(NORM),
  methodEntry(TLORA),
];

/** Every method that a module of an adapter may have: PEFT's by `peft_type`, and LyCORIS's own. */
export const ADAPTER_METHODS: MethodTable = new Map([
  ...PEFT_METHODS,
  ...LYCORIS_ENTRIES.map((entry) => [entry.method!.name, entry] as const),
]);
