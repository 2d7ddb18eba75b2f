import { type AdapterMethod, type Attached, ConfigError, type Params } from "@weft/tensor-core";
import { type AdapterConfig, createChosenBy, type TargetConfig } from "@weft/adapter-files";
import { sameValues } from "../same-values.js";
import type { HookedModel } from "./hooked-model.js";
import { moduleNames } from "./module-names.js";

/** By path of a layer: its parameters that are another layer's, and whose. */
export type Ties = ReadonlyMap<string, { readonly [parameter: string]: string }>;

type Layers = ReadonlyMap<string, readonly Attached[]>;

/** Which parameters of an adapter some of its layers have in common. */
export function tiesOf(method: AdapterMethod<never>, config: AdapterConfig, layers: Layers, model: HookedModel<never, unknown>): Ties {
  if (!method.tied) return new Map();
  const chosenBy = createChosenBy(config.values as TargetConfig, moduleNames(model));
  const own = [...model.layers()].filter(({ path }) => layers.has(path));
  const owners = method.tied(
    config.values as never,
    own.map(({ path, layer }) => ({ path, layer, target: chosenBy(path) })),
  );
  return new Map(own.map(({ path }, i) => [path, Object.fromEntries(Object.entries(owners[i]!).filter(([, owner]) => owner !== path))]));
}

/** What a layer has of other layers. */
export function tiedOf(ties: Ties | undefined, path: string, paramsOf: (owner: string) => Params | undefined): Params {
  const found = Object.entries(ties?.get(path) ?? {}).flatMap(([name, owner]) => {
    const value = paramsOf(owner)?.[name];
    return value ? [[name, value] as const] : [];
  });
  return Object.fromEntries(found);
}

/** The layers with the parameters of their owners. */
export function tieLayers(layers: Layers, ties: Ties): Map<string, readonly Attached[]> {
  return new Map(
    [...layers].map(([path, attached]) => {
      const tied = tiedOf(ties, path, (owner) => layers.get(owner)![0]!.params);
      return [path, attached.map((one, i) => (i === 0 ? { ...one, params: { ...one.params, ...tied } } : one))];
    }),
  );
}

/** @throws ConfigError if a file has different values for what is one parameter; PEFT would let the last one win */
export async function assertTied(layers: Layers, ties: Ties): Promise<void> {
  for (const [path, owners] of ties)
    for (const [name, owner] of Object.entries(owners)) {
      const [own, theirs] = [path, owner].map((at) => layers.get(at)![0]!.params[name]!) as [Params[string], Params[string]];
      if (await sameValues(own, theirs)) continue;
      const { method, context } = layers.get(path)![0]! as Attached;
      const key = method.keys(context.layer)[name]![0]!;
      throw new ConfigError(`${path}.${key} differs from that of ${owner}, but ${method.name} has one for both`, {
        kind: "config-mismatch",
        tensor: `${path}.${key}`,
        hint: "was target_modules changed after training? It decides which layers have parameters in common",
      });
    }
}
