import { type AdapterMethod, type Attached, ConfigError, type Params } from "@weft/tensor-core";
import { attachAdapter, type AttachOptions } from "../attach.js";
import type { AdapterConfig, OpenedAdapter } from "@weft/adapter-files";
import type { AdapterState } from "./adapter-state.js";
import { type HookedModel, layersOf } from "./hooked-model.js";
import { hostOf } from "./host-of.js";
import { stateOfAttached } from "./state-of-attached.js";

/** Experts, opened, by their names in the config of the adapter that mixes them. */
export type Experts = ReadonlyMap<string, OpenedAdapter>;

/** Where an adapter's config says that its experts are, by name. */
export const expertPaths = ({ values }: AdapterConfig): { readonly [name: string]: string } =>
  (values as { readonly adapters?: { readonly [name: string]: string } }).adapters ?? {};

/** Names of experts in the order of the classifier's outputs. A file has them sorted: numbers come first, by size, then words. */
function expertNames(config: AdapterConfig): string[] {
  const names = Object.keys(expertPaths(config));
  if (names.length === 0) throw new ConfigError(`${config.peftType}: the config names no adapters to mix`, { kind: "config-schema" });
  const bad = names.find((name) => /^\.{0,2}$|[/\\]/.test(name));
  if (bad !== undefined) throw new ConfigError(`${JSON.stringify(bad)} cannot be an adapter's name`, { kind: "config-schema" });
  const isNumber = (name: string): boolean => /^\d+$/.test(name);
  return [...names.filter(isNumber).sort((a, b) => Number(a) - Number(b)), ...names.filter((name) => !isNumber(name)).sort()];
}

/** @throws ConfigError if there is more to it than layers */
async function expertState(
  name: string,
  expert: OpenedAdapter,
  model: HookedModel<never, unknown>,
  options: AttachOptions,
): Promise<AdapterState> {
  const attached = await attachAdapter(expert, hostOf(model, expert.methods.get(expert.method)?.method), options);
  const state = await stateOfAttached(expert, attached, model);
  const tokens = [...state.layers].find(([, all]) => all.length > 1);
  const more = [...state.replaced.keys(), ...state.expected.keys(), ...(tokens ? [tokens[0]] : [])][0];
  if (more === undefined) return state;
  throw new ConfigError(`the adapter "${name}" changes ${more}: it cannot be mixed with others`, { kind: "unsupported-method" });
}

/** An adapter's layers that are those of its experts, which come with it. */
export interface MixedLayers {
  readonly attached: ReadonlyMap<string, Attached>;
  readonly experts: ReadonlyMap<string, AdapterState>;
}

/**
 * The layers of an adapter that mixes others, in the model's order.
 * @throws ConfigError if an expert is missing or does more than adapt layers; the errors of `attachAdapter`
 */
export async function mixedLayers(
  method: AdapterMethod<never>,
  config: AdapterConfig,
  experts: Experts | undefined,
  model: HookedModel<never, unknown>,
  options: AttachOptions,
): Promise<MixedLayers> {
  const states = new Map<string, AdapterState>();
  for (const name of expertNames(config)) {
    const expert = experts?.get(name);
    if (!expert)
      throw new ConfigError(`${config.peftType} mixes the adapter "${name}" (${expertPaths(config)[name]}), which was not given or found`, {
        kind: "no-such-adapter",
        hint: "give every adapter that the config names in `experts`, opened",
      });
    states.set(name, await expertState(name, expert, model, options));
  }
  const attached = new Map<string, Attached>();
  for (const { path, layer } of layersOf(model)) {
    const here = [...states.values()].map((state): Attached | undefined => state.layers.get(path)?.[0]);
    if (here.every((expert) => !expert)) continue;
    const own = method.mix!(config.values as never, here, attached.size);
    const params: Params = Object.fromEntries(
      here.flatMap((expert, i) => Object.entries(expert?.params ?? {}).map(([name, t]) => [`${i}.${name}`, t] as const)),
    );
    attached.set(path, { method, params, context: { layer, config: own, scale: 1 } as never });
  }
  return { attached, experts: states };
}

/** The config as it is saved: experts are saved beside it, in folders of their names. */
export function savedConfig({ config, experts }: AdapterState): AdapterConfig {
  if (!experts) return config;
  return { ...config, values: { ...config.values, adapters: Object.fromEntries([...experts.keys()].map((name) => [name, name])) } };
}

/** The experts of an adapter with the values that it has of them, by name. */
export function expertsOf({ experts, layers }: AdapterState): Map<string, AdapterState> {
  return new Map(
    [...(experts ?? [])].map(([expert, state], i) => {
      const own = [...state.layers].map(([path, all]): [string, readonly Attached[]] => {
        const { params } = layers.get(path)![0]!;
        return [
          path,
          all.map((one) => ({
            ...one,
            params: Object.fromEntries(Object.keys(one.params).map((name) => [name, params[`${i}.${name}`]!])),
          })),
        ];
      });
      return [expert, { ...state, layers: new Map(own) }];
    }),
  );
}
