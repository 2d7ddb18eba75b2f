import {
  initPrompt,
  promptConfig,
  type PromptConfigFields,
  type PromptMethod,
  type PromptModel,
  type PromptSource,
} from "@weft/tensor-core/prompt";
import { ConfigError, type Params, type Tensor } from "@weft/tensor-core";
import type { AdapterConfig, OpenedAdapter } from "@weft/adapter-files";
import type { PromptHost } from "../prompt/attach-prompt.js";
import { readPrompt } from "../prompt/read-prompt.js";
import type { AdapterState, PromptState } from "./adapter-state.js";
import type { HookedModel } from "./hooked-model.js";

/** The sizes of a model that prompts need. @throws ConfigError if it does not tell them */
function promptSizes({ config }: HookedModel<never, unknown>): PromptModel {
  const { hiddenSize, layers, heads } = config ?? {};
  if (hiddenSize === undefined || layers === undefined || heads === undefined)
    throw new ConfigError("a prompt needs the model's hiddenSize, layers and heads in its `config`", { kind: "no-model-config" });
  return config as PromptModel;
}

const stateOf = (config: AdapterConfig, prompt: PromptState, replaced: ReadonlyMap<string, Tensor>): AdapterState => ({
  config: { ...config, values: { ...config.values, ...prompt.config } },
  layers: new Map(),
  shared: {},
  replaced,
  expected: new Map(),
  prompt,
});

/** A prompt out of a file, for a model. @throws as `attachPrompt` */
export async function loadPrompt(
  adapter: OpenedAdapter,
  model: HookedModel<never, unknown>,
  host: Omit<PromptHost, "sizes">,
  options: { readonly allowUnknownFields: boolean },
): Promise<AdapterState> {
  const attached = await readPrompt(adapter, { ...host, sizes: promptSizes(model) }, options);
  const { method, config, saved, replaced } = attached;
  return stateOf(adapter.config, { method, config, saved, ...trainedOf(method, config, saved) }, replaced);
}

function trainedOf(method: PromptMethod<PromptConfigFields>, config: PromptConfigFields, saved: Params): { readonly trained?: Params } {
  try {
    return { trained: method.restore(saved, config) };
  } catch (error) {
    if (error instanceof ConfigError) return {};
    throw error;
  }
}

/** A new prompt, with the numbers that PEFT draws. @param replaced parameters of the base that are trained whole beside it */
export async function newPrompt(
  method: PromptMethod<PromptConfigFields>,
  config: AdapterConfig,
  model: HookedModel<never, unknown>,
  options: { readonly seed?: number } & PromptSource,
  replaced: ReadonlyMap<string, Tensor>,
): Promise<AdapterState> {
  const sizes = promptConfig(method, config.values, promptSizes(model));
  const embedding = [...model.layers()].find(({ layer }) => layer.kind === "embedding");
  const trained = await initPrompt(method, sizes, { ...(embedding && { wordEmbeddings: embedding.base.weight }), ...options });
  return stateOf(config, { method, config: sizes, trained, saved: method.encode(trained, sizes) }, replaced);
}
