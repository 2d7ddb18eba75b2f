import { ADALORA, FOURIERFT, IA3, LN_TUNING, LORA, TRAINABLE_TOKENS, VERA } from "@weft/adapters-lora";
import { LOHA, LOKR } from "@weft/adapters-lycoris";
import { ADAPTION_PROMPT, LILY, POLY, SHADOW, XLORA } from "@weft/adapters-model";
import { BOFT, HRA, OFT } from "@weft/adapters-orthogonal";
import { CARTRIDGE, CPT, MULTITASK_PROMPT_TUNING, P_TUNING, PREFIX_TUNING, PROMPT_TUNING } from "@weft/adapters-prompt";
import { SHIRA, SUPERTUNING, UNILORA, WAVEFT } from "@weft/adapters-scatter";
import { ADAMSS, FROD, OSF, PSOFT, TINYLORA } from "@weft/adapters-spectral";
import { BEFT, C3A, DEFT, DELORA, GLORA, GRALORA, HIRA, MISS, PEANUT, PVERA, RANDLORA, ROAD, VBLORA } from "@weft/adapters-structured";
import { methodTable, type MethodTable } from "@weft/tensor-core";

/** Every `peft_type` of PEFT 0.21.2. @see peft `utils/peft_types.py` */
export const PEFT_METHODS: MethodTable = /* @__PURE__ */ methodTable(
  ADALORA,
  ADAMSS,
  ADAPTION_PROMPT,
  BEFT,
  BOFT,
  C3A,
  CARTRIDGE,
  CPT,
  DEFT,
  DELORA,
  FOURIERFT,
  FROD,
  GLORA,
  GRALORA,
  HIRA,
  HRA,
  IA3,
  LILY,
  LN_TUNING,
  LOHA,
  LOKR,
  LORA,
  MISS,
  MULTITASK_PROMPT_TUNING,
  OFT,
  OSF,
  P_TUNING,
  PEANUT,
  POLY,
  PREFIX_TUNING,
  PROMPT_TUNING,
  PSOFT,
  PVERA,
  RANDLORA,
  ROAD,
  SHADOW,
  SHIRA,
  SUPERTUNING,
  TINYLORA,
  TRAINABLE_TOKENS,
  UNILORA,
  VBLORA,
  VERA,
  WAVEFT,
  XLORA,
);
