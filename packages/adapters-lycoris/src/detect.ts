import { type BareTensors, type DetectedMethod, methodDetector, methodTable, type MethodTable } from "@weft/tensor-core";
import { LYCORIS_BOFT } from "./methods/boft.js";
import { DIAG_OFT } from "./methods/diag-oft.js";
import { FULL } from "./methods/full.js";
import { LYCORIS_GLORA } from "./methods/glora.js";
import { LYCORIS_IA3 } from "./methods/ia3.js";
import { LOCON } from "./methods/locon.js";
import { LOHA } from "./methods/loha.js";
import { LOKR } from "./methods/lokr.js";
import { NORM } from "./methods/norm.js";
import { TLORA } from "./methods/tlora.js";

/** The methods of LyCORIS's files. */
export const LYCORIS_ALGORITHMS: MethodTable = /* @__PURE__ */ methodTable(
  LOCON,
  LOHA,
  LYCORIS_IA3,
  LOKR,
  FULL,
  NORM,
  DIAG_OFT,
  LYCORIS_BOFT,
  LYCORIS_GLORA,
  TLORA,
);

/**
 * Which of LyCORIS's methods the tensors of one module are of, be it that they are not all there, and what each of them is; undefined if none.
 * @param tensors by suffix: what follows the module's name and a dot (`lora_up.weight`, `alpha`)
 */
export const detectLycoris: (tensors: BareTensors) => DetectedMethod | undefined = /* @__PURE__ */ methodDetector(LYCORIS_ALGORITHMS);
