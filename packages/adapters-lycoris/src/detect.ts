import type { Shape } from "@weft/tensor-core";
import { lycorisConfig } from "./config.js";
import type { LycorisMethod } from "./method.js";
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

type Any = LycorisMethod<never>;

/** By the suffix that tells them, in LyCORIS' order; the first that a module has wins. @see lycoris `modules/__init__.py` get_module */
const ORDER: readonly (readonly [suffix: string, method: Any])[] = [
  ["lora_up.weight", LOCON as Any],
  ["hada_w1_a", LOHA as Any],
  ["on_input", LYCORIS_IA3 as Any],
  ["lokr_w1", LOKR as Any],
  ["lokr_w1_a", LOKR as Any],
  ["diff", FULL as Any],
  ["w_norm", NORM as Any],
  ["oft_blocks", DIAG_OFT as Any],
  ["a1.weight", LYCORIS_GLORA as Any],
  ["lambda_layer", TLORA as Any],
  // Foreign files have changed biases without changed weights.
  ["diff_b", FULL as Any],
];

/** Parameters that one method alone has: they tell it where the one that LyCORIS goes by is missing. Every module has a `weight`. */
const ONLY: ReadonlyMap<string, Any> = onlyOf([...new Set([...ORDER.map(([, method]) => method), LYCORIS_BOFT as Any])]);

function onlyOf(methods: readonly Any[]): Map<string, Any> {
  const owners = new Map<string, Any[]>();
  for (const method of methods)
    for (const [suffix] of Object.values(method.keys())) owners.set(suffix, [...(owners.get(suffix) ?? []), method]);
  return new Map([...owners].flatMap(([suffix, [first, another]]) => (another || suffix === "weight" ? [] : [[suffix, first!] as const])));
}

/** What the tensors of one module are. */
export interface DetectedLycoris {
  readonly method: LycorisMethod<never>;
  /** Suffixes of the parameters' tensors by parameter name: `{ up: "lora_up.weight", … }`, of those that are there. */
  readonly params: { readonly [name: string]: string };
  /** Suffixes of tensors of one element that belong to the config: `alpha`, `on_input`. Read their first element as a number. */
  readonly scalars: readonly string[];
  /** Suffixes that the method does not read. */
  readonly unused: readonly string[];
  /** The module's config, given the numbers of `scalars`; `method.configFromShapes` adds what the shapes say once the layer is known. */
  config(scalars: { readonly [suffix: string]: number }): never;
}

/**
 * Which method the tensors of one module are of, be it that they are not all there, and what each of them is; undefined if none.
 * @param tensors by suffix: what follows the module's name and a dot (`lora_up.weight`, `alpha`)
 */
export function detectLycoris(tensors: ReadonlyMap<string, { readonly shape: Shape }>): DetectedLycoris | undefined {
  const found = ORDER.find(([suffix]) => tensors.has(suffix))?.[1] ?? [...tensors.keys()].flatMap((suffix) => ONLY.get(suffix) ?? [])[0];
  if (!found) return undefined;
  const method = found === (DIAG_OFT as Any) && tensors.get("oft_blocks")!.shape.length === 4 ? (LYCORIS_BOFT as Any) : found;
  const suffixes = Object.entries(method.keys()).map(([name, [suffix]]) => [name, suffix] as const);
  const params = Object.fromEntries(suffixes.filter(([, suffix]) => tensors.has(suffix)));
  const scalars = method.scalars.filter((suffix) => tensors.has(suffix));
  const known = new Set([...Object.values(params), ...scalars]);
  return {
    method,
    params,
    scalars,
    unused: [...tensors.keys()].filter((suffix) => !known.has(suffix)),
    config: (values) => lycorisConfig<never>(method, { alpha: null, ...values } as { readonly [name: string]: unknown }),
  };
}
