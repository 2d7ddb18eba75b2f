import type { Shape } from "../shape.js";
import type { LayerSpec } from "./layer.js";
import type { AdapterMethod, BareModules } from "./method.js";
import type { MethodTable } from "./method-table.js";

/** Tensors of a module by key: what follows the module's name and a dot. */
export type BareTensors = ReadonlyMap<string, { readonly shape: Shape }>;

/** What the tensors of one module are. */
export interface DetectedMethod {
  readonly method: AdapterMethod<never>;
  /** Keys of the parameters' tensors by parameter name: `{ up: "lora_up.weight", … }`, of those that are there. */
  readonly params: { readonly [name: string]: string };
  /** Keys of tensors of one element that belong to the config: `alpha`, `on_input`. Read their first element as a number. */
  readonly scalars: readonly string[];
  /** Keys that the method does not read. */
  readonly unused: readonly string[];
  /** The module's config, given the numbers of `scalars`; `method.configFromShapes` adds what the shapes say once the layer is known. */
  config(scalars: { readonly [key: string]: number }): never;
}

/** Methods of bare modules have the same names on every layer. */
const ANY: LayerSpec = { kind: "linear", shape: [1, 1], dtype: "f32", bias: false };

/**
 * What tells the method of a module from its tensors alone, be it that they are not all there: the mark with the lowest turn, else a parameter that one
 * method alone has.
 * @param methods those without `bare` are left out
 */
export function methodDetector(methods: MethodTable): (tensors: BareTensors) => DetectedMethod | undefined {
  const bare = [...methods.values()].flatMap(({ method }) => (method?.bare ? [{ method, bare: method.bare }] : []));
  const marks = bare
    .flatMap((one) => Object.entries(one.bare.marks).map(([key, turn]) => ({ ...one, key, turn })))
    .toSorted((a, b) => a.turn - b.turn);
  const only = ownersOf(bare);
  return (tensors) => {
    const found =
      marks.find(({ key, bare: { takes } }) => tensors.has(key) && (takes?.(tensors) ?? true)) ??
      [...tensors.keys()].flatMap((key) => only.get(key) ?? [])[0];
    if (!found) return undefined;
    const { method, bare: rules } = found;
    const keys = Object.entries(method.keys(ANY)).map(([name, [key]]) => [name, key!] as const);
    const params = Object.fromEntries(keys.filter(([, key]) => tensors.has(key)));
    const scalars = rules.scalars.filter((key) => tensors.has(key));
    const known = new Set([...Object.values(params), ...scalars]);
    return {
      method,
      params,
      scalars,
      unused: [...tensors.keys()].filter((key) => !known.has(key)),
      config: (values) => rules.config(values) as never,
    };
  };
}

interface Bare {
  readonly method: AdapterMethod<never>;
  readonly bare: BareModules;
}

/** Keys that one method alone has. Every module has a `weight`. */
function ownersOf(methods: readonly Bare[]): Map<string, Bare> {
  const owners = new Map<string, Bare[]>();
  for (const one of methods) for (const [key] of Object.values(one.method.keys(ANY))) owners.set(key!, [...(owners.get(key!) ?? []), one]);
  return new Map([...owners].flatMap(([key, [first, another]]) => (another || key === "weight" ? [] : [[key, first!] as const])));
}
