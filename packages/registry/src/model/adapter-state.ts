import type { PromptConfigFields, PromptMethod } from "@weft/tensor-core/prompt";
import type { Attached, Params, ParameterSpec, Tensor } from "@weft/tensor-core";
import type { AdapterConfig } from "@weft/adapter-files";
import type { DialectName } from "@weft/adapter-files/dialects";
import type { PlacedLayer } from "../placed-layer.js";
import { tiedOf, type Ties } from "./tie-parameters.js";

/** One adapter on a model: everything that training changes and a file holds. Values are never changed in place. */
export interface AdapterState {
  readonly config: AdapterConfig;
  /** The dialect of the file that it was read from, where that is not PEFT's: its numbers are those of each module. */
  readonly dialect?: DialectName;
  /** By module path (a raw parameter: by its name). A layer may have two: its method and trained tokens. */
  readonly layers: ReadonlyMap<string, readonly Attached[]>;
  /** Layers among them that the model holds in other tensors, by path: they act by what merging makes of those. */
  readonly placed?: ReadonlyMap<string, PlacedLayer>;
  /** Parameters that some layers have in common; each of those layers finds them among its own. */
  readonly ties?: Ties;
  /** Parameters that all layers have in common, and find among their own. */
  readonly shared: Params;
  /** Parameters of the base that the adapter brings its own version of: `modules_to_save`, trained biases, resized embeddings. */
  readonly replaced: ReadonlyMap<string, Tensor>;
  /** Weights of the base as the adapter expects them, where its initialisation changed them (PiSSA, OLoRA); neither trained nor saved. */
  readonly expected: ReadonlyMap<string, Tensor>;
  /** Factors by path that a start took out of the base where its file would not tell (CorDA, LoRA-GA): saving puts them into the adapter. */
  readonly initial?: ReadonlyMap<string, Params>;
  /** The adapters that this one mixes, by name; it has their values among its own. */
  readonly experts?: ReadonlyMap<string, AdapterState>;
  /** For methods that put something in front of the input instead of changing layers. */
  readonly prompt?: PromptState;
}

/** A prompt adapter. */
export interface PromptState {
  readonly method: PromptMethod<PromptConfigFields>;
  readonly config: PromptConfigFields;
  /** The tensors of its file. */
  readonly saved: Params;
  /** What is trained, from which `saved` follows; absent where a file does not tell (P-tuning keeps its encoder to itself). */
  readonly trained?: Params;
}

/** The tensors that training changes, as a tree for `grad` and `compile`. */
// A type, not an interface: only types may stand for a `Tree` without saying so.
export type AdapterParameters = {
  /** Module path → parameter name → tensor. Trained tokens are `rows`. */
  readonly layers: { readonly [path: string]: Params };
  /** Those that all layers have in common (a vector bank). */
  readonly shared: Params;
  /** Parameters of the base by name. */
  readonly replaced: Params;
  /** Of a prompt and its encoder; empty for other methods. */
  readonly prompt: Params;
};

/** The names of the parameters that a layer has of its own. */
export function ownNames({ method, context }: Attached): string[] {
  const { config, layer } = context;
  return Object.keys(method.parameters(config, layer));
}

/** The trained tensors of an adapter. */
export function parametersOf(state: AdapterState): AdapterParameters {
  const layers: { [path: string]: Params } = {};
  for (const [path, attached] of state.layers) {
    const trained = attached.flatMap((a) => {
      const { config, layer } = a.context;
      const specs = a.method.parameters(config, layer);
      const others = state.ties?.get(path) ?? {};
      return Object.keys(specs).flatMap((name) => (specs[name]!.trainable && !(name in others) ? [[name, a.params[name]!] as const] : []));
    });
    layers[path] = Object.fromEntries(trained);
  }
  return { layers, shared: trainedShared(state), replaced: Object.fromEntries(state.replaced), prompt: state.prompt?.trained ?? {} };
}

function trainedShared({ shared, layers, config }: AdapterState): Params {
  const specs = sharedSpecs(layers, config);
  return Object.fromEntries(Object.entries(shared).filter(([name]) => specs[name]?.trainable));
}

/** The parameters that an adapter's layers share, as its method says. */
export function sharedSpecs(layers: AdapterState["layers"], { values }: AdapterConfig): { readonly [name: string]: ParameterSpec } {
  const sharing = [...layers].flatMap(([path, attached]) =>
    attached.flatMap(({ method: { shared }, context: { layer } }) => (shared ? [{ path, layer, shared }] : [])),
  );
  return sharing[0]?.shared.parameters(values as never, sharing) ?? {};
}

/** The adapter with other values of its trained tensors. */
export function withParameters(state: AdapterState, parameters: AdapterParameters): AdapterState {
  const layers = new Map(
    [...state.layers].map(([path, attached]) => {
      const given = { ...parameters.layers[path], ...tiedOf(state.ties, path, (owner) => parameters.layers[owner]) };
      return [path, attached.map((a) => ({ ...a, params: { ...a.params, ...parameters.shared, ...pick(given, ownNames(a)) } }))] as const;
    }),
  );
  const { prompt } = state;
  const trained = { ...prompt?.trained, ...parameters.prompt };
  return {
    ...state,
    layers,
    shared: { ...state.shared, ...parameters.shared },
    replaced: new Map([...state.replaced, ...Object.entries(parameters.replaced)]),
    ...(prompt?.trained && { prompt: { ...prompt, trained, saved: prompt.method.encode(trained, prompt.config) } }),
  };
}

const pick = (params: Params, names: readonly string[]): Params =>
  Object.fromEntries(names.flatMap((name) => (params[name] ? [[name, params[name]]] : [])));
