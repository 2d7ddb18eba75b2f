import { boolean, dropout, type Field, type FieldTable, integer, MAX_RANK, oneOf, pattern, TARGETING } from "../adapter/config.js";

/** Fields that several methods have, under the names that each gives them. */
type Common = "dropout" | "fan_in_fan_out" | "bias" | "init_weights";

const { target_modules, modules_to_save, exclude_modules: _, ...ofLayers } = TARGETING;
/** Modules are chosen by name alone. */
export const BY_NAME: FieldTable = { target_modules: target_modules!, modules_to_save: modules_to_save! };
/** Modules are chosen by name and index of the layer, without exceptions. */
export const BY_LAYER: FieldTable = { ...BY_NAME, ...ofLayers };

/** The fields of a config: those of targeting (of which some configs lack some), common ones, and the method's own. */
export function fields(prefix: string, common: readonly Common[], own: FieldTable, targeting: FieldTable = TARGETING): FieldTable {
  const known: { readonly [name in Common]: readonly [string, Field] } = {
    dropout: [`${prefix}_dropout`, dropout()],
    fan_in_fan_out: ["fan_in_fan_out", boolean(false)],
    bias: ["bias", oneOf("none", ["none", "all", `${prefix}_only`])],
    init_weights: ["init_weights", boolean(true)],
  };
  return { ...targeting, ...Object.fromEntries(common.map((name) => known[name])), ...own };
}

/** A field that is a rank. */
export const rank = (fallback: number, low = 1): Field => integer(fallback, low, MAX_RANK);
/** A number of elements. */
export const count = (fallback: number): Field => integer(fallback, 1, 2 ** 31 - 1);
/** A field that is a seed: a whole number from 0 on. */
export const seed = (fallback: number): Field => integer(fallback, 0, Number.MAX_SAFE_INTEGER);
/** A field that gives ranks by patterns of module names (`rank_pattern`). */
export const ranks = (): Field => pattern("r", 1, MAX_RANK, true);
/** Null, or a number that passes. */
export const optional = (check: (n: number) => boolean, expected: string): Field => ({
  fallback: null,
  check: (v) => v === null || (typeof v === "number" && check(v)),
  expected,
});
