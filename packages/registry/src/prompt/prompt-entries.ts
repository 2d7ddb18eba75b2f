import {
  CARTRIDGE,
  CPT,
  MULTITASK_PROMPT_TUNING,
  P_TUNING,
  PREFIX_TUNING,
  PROMPT_TUNING,
  type PromptConfigFields,
  type PromptMethod,
} from "@weft/adapters-prompt";
import type { MethodEntry } from "../methods.js";

/** The registry's entry of a prompt method: its file holds tensors without a module path. */
export function promptEntry<C extends PromptConfigFields>(prompt: PromptMethod<C>): MethodEntry {
  return { prefix: "", fields: prompt.fields, prompt: prompt as unknown as PromptMethod<PromptConfigFields> };
}

/** The prompt methods of PEFT 0.21.2 by `peft_type`. */
export const PROMPT_ENTRIES: ReadonlyMap<string, MethodEntry> = new Map([
  [CARTRIDGE.name, promptEntry(CARTRIDGE)],
  [CPT.name, promptEntry(CPT)],
  [MULTITASK_PROMPT_TUNING.name, promptEntry(MULTITASK_PROMPT_TUNING)],
  [P_TUNING.name, promptEntry(P_TUNING)],
  [PREFIX_TUNING.name, promptEntry(PREFIX_TUNING)],
  [PROMPT_TUNING.name, promptEntry(PROMPT_TUNING)],
]);
