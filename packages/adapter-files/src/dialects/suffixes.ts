/** Names behind the module, as they are in a file → the parameter by LyCORIS's name. */
export type SuffixTable = ReadonlyMap<string, string>;

const same = (names: string): [string, string][] => names.split(" ").map((name) => [name, name]);

/** Everything that LyCORIS reads and writes. */
export const LYCORIS_SUFFIXES: SuffixTable = new Map([
  ...same("lora_up.weight lora_down.weight lora_mid.weight lora_up.bias alpha dora_scale"),
  ...same("hada_w1_a hada_w1_b hada_w2_a hada_w2_b hada_t1 hada_t2"),
  ...same("lokr_w1 lokr_w1_a lokr_w1_b lokr_w2 lokr_w2_a lokr_w2_b lokr_t1 lokr_t2"),
  ...same("diff diff_b w_norm b_norm oft_blocks rescale"),
  ...same("a1.weight a2.weight b1.weight b2.weight bm.weight q_layer.weight p_layer.weight lambda_layer"),
]);

/** (IA)³ of LyCORIS: `weight` alone is too common a name for files whose module paths have dots. */
export const FLAT_SUFFIXES: SuffixTable = new Map([...LYCORIS_SUFFIXES, ...same("weight on_input")]);

/** PEFT's LoRA names, with both spellings of the magnitude. */
export const PEFT_LORA_SUFFIXES: SuffixTable = new Map([
  ["lora_A.weight", "lora_down.weight"],
  ["lora_B.weight", "lora_up.weight"],
  ["lora_B.bias", "lora_up.bias"],
  ["lora_magnitude_vector", "dora_scale"],
  ["lora_magnitude_vector.weight", "dora_scale"],
]);

/** diffusers' names of 2023. */
export const LORA_LAYER_SUFFIXES: SuffixTable = new Map([
  ["lora.down.weight", "lora_down.weight"],
  ["lora.up.weight", "lora_up.weight"],
]);

/** What stands behind the original's paths: LyCORIS's names, PEFT's, or diffusers' of 2023. */
export const DOTTED_SUFFIXES: SuffixTable = new Map([...LYCORIS_SUFFIXES, ...PEFT_LORA_SUFFIXES, ...LORA_LAYER_SUFFIXES]);

/** A name split before the longest suffix that the table has; undefined if it has none, or nothing stands in front. */
export function splitSuffix(name: string, table: SuffixTable): { readonly module: string; readonly parameter: string } | undefined {
  let found: { module: string; parameter: string } | undefined;
  for (let dot = name.lastIndexOf("."), parts = 0; dot > 0 && parts < MAX_PARTS; dot = name.lastIndexOf(".", dot - 1), parts++) {
    const parameter = table.get(name.slice(dot + 1));
    if (parameter !== undefined) found = { module: name.slice(0, dot), parameter };
  }
  return found;
}

/** `lora_linear_layer.down.weight`. */
const MAX_PARTS = 3;

/** The suffix that a table has for a parameter, the first one listed. */
export function suffixOf(table: SuffixTable, parameter: string): string | undefined {
  for (const [suffix, name] of table) if (name === parameter) return suffix;
  return undefined;
}
