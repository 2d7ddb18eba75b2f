import { type ConvertModule, isWholeLokr, type Loss } from "../conversion/convert-module.js";
import { reshaped } from "../conversion/lazy-tensor.js";
import { readAdapterConfig, writeAdapterConfig } from "@weft/adapter-files";
import { type Component, EMBEDDING_KEYS, PEFT, rankFields } from "@weft/adapter-files/dialects";
import { attributeOf } from "./attribute.js";
import { partialDora } from "./lora-config.js";
import { asPeftLora } from "./lora-module.js";
import { lokrFactor } from "./lokr-factor.js";
import { namedTensors } from "./named-tensors.js";
import type { ConvertedFile, ConvertTarget, WriteContext } from "./target.js";

/** Folders that diffusers keeps a pipeline's models in. */
const FOLDERS: { readonly [C in Component]: string } = {
  model: "",
  denoiser: "",
  te: "text_encoder",
  te1: "text_encoder",
  te2: "text_encoder_2",
  te3: "text_encoder_3",
  prior: "prior",
  priorTe: "prior_text_encoder",
};

/** PEFT: LoRA, LoHa or LoKr, one method per adapter, one adapter per model. */
export const TO_PEFT: ConvertTarget = {
  name: "peft",
  style: "diffusers",
  fit(module) {
    if (module.method !== "LOHA" && module.method !== "LOKR") return asPeftLora(module);
    if (module.parameters.has("dora_scale")) return `${module.method} with magnitudes (DoRA) has no form in PEFT`;
    if (module.rank === 0) return "rank 0 has no form in PEFT";
    if (module.parameters.get("lokr_w2")?.shape.length === 3) return "PEFT has the axes of a Conv1d's LoKr in an order of its own";
    return withConv1dCore(module);
  },
  write(modules, context) {
    const parts = new Map<Component, ConvertModule[]>();
    for (const module of modules) parts.set(module.component, [...(parts.get(module.component) ?? []), module]);
    const losses: Loss[] = [];
    const files = [...parts].flatMap(([component, own]) => {
      const folder = FOLDERS[component] || (component === "denoiser" && parts.size > 1 ? attributeOf(own, context.naming) : "");
      return writeModel(own, folder === "" ? "" : `${folder}/`, context, losses);
    });
    return { files, losses };
  },
};

/** PEFT gives the Tucker core of a Conv1d the axes of a Conv2d's. */
function withConv1dCore(module: ConvertModule): ConvertModule {
  const cores = ["hada_t1", "hada_t2", "lokr_t2"].filter((name) => module.parameters.get(name)?.shape.length === 3);
  const shaped = cores.map((name) => [name, reshaped(module.parameters.get(name)!, [...module.parameters.get(name)!.shape, 1])] as const);
  return { ...module, parameters: new Map([...module.parameters, ...shaped]) };
}

function writeModel(
  modules: readonly ConvertModule[],
  folder: string,
  { baseModel, methods }: WriteContext,
  losses: Loss[],
): ConvertedFile[] {
  const method = modules[0]!.method;
  const mixed = modules.find((module) => module.method !== method);
  if (mixed) {
    losses.push({
      module: mixed.label,
      message: `${mixed.label} is ${mixed.method}, ${modules[0]!.label} is ${method}: an adapter of PEFT has one method`,
    });
    return [];
  }
  const whole = modules.map((module) => withEmbeddingNames(method === "LOKR" ? withRank(module) : module));
  const { tensors, modules: named, losses: unnamed } = namedTensors(whole, PEFT, false);
  losses.push(...unnamed, ...partialDora(whole, "PEFT"));
  const { r, alpha, rankPattern, alphaPattern } = rankFields(whole);
  const lora = method === "LOCON";
  const config = {
    peft_type: lora ? "LORA" : method,
    r,
    [lora ? "lora_alpha" : "alpha"]: alpha,
    rank_pattern: rankPattern,
    alpha_pattern: alphaPattern,
    target_modules: whole.map(({ path }) => path).toSorted(),
    base_model_name_or_path: baseModel,
    inference_mode: true,
    ...(lora && { use_dora: has(whole, "dora_scale"), lora_bias: has(whole, "lora_up.bias") }),
    ...(!lora && { use_effective_conv2d: has(whole, "hada_t1") || has(whole, "lokr_t2") }),
  };
  if (method === "LOKR") {
    const factor = lokrFactor(whole, methods);
    if (factor) Object.assign(config, factor);
    else
      losses.push({
        module: whole[0]!.label,
        message: "PEFT factors weights otherwise than these LoKr modules, so that it would not find its shapes in the file",
      });
  }
  const text = writeAdapterConfig(readAdapterConfig(config, { methods }));
  return [
    {
      path: `${folder}adapter_model.safetensors`,
      tensors,
      metadata: new Map([["format", "pt"]]),
      config: text,
      modules: peftIds(named),
      hashed: false,
    },
  ];
}

function withEmbeddingNames(module: ConvertModule): ConvertModule {
  if (!module.embedding) return module;
  return { ...module, parameters: new Map([...module.parameters].map(([name, t]) => [EMBEDDING_KEYS.get(name) ?? name, t])) };
}

const has = (modules: readonly ConvertModule[], parameter: string): boolean => modules.some(({ parameters }) => parameters.has(parameter));

/** Opened again, a module is known by its path alone. */
const peftIds = (named: ReadonlyMap<string, ConvertModule>): Map<string, ConvertModule> =>
  new Map([...named.values()].map((module) => [module.path, module]));

/** A LoKr with two whole halves has a rank in PEFT, which must not look like a factored one's: alpha follows it. */
function withRank(module: ConvertModule): ConvertModule {
  if (!isWholeLokr(module.parameters)) return module;
  const [a, b] = module.parameters.get("lokr_w2")!.shape as [number, number];
  return { ...module, rank: Math.max(a, b) };
}
