import { ConfigError, type MirrorSizes, type ParameterSpec } from "@weft/tensor-core";
import type { LlamaConfig } from "./llama-config.js";
import { llamaModules, llamaParameters } from "./modules.js";

/** What transformers draws new weights from, unless `initializer_range` says otherwise. */
const STD = 0.02;

/** The config of a smaller model of the same kind: head dim and key-value heads stay, windows and rotary embeddings are those of the first layers. @see peft `tuners/shadow/model.py` _build_shadow_backbone */
export function mirrorConfig(config: LlamaConfig, { layers, hiddenSize, heads, intermediateSize }: MirrorSizes): LlamaConfig {
  const queries = heads ?? config.heads;
  if (queries % config.keyValueHeads !== 0)
    throw new ConfigError(`a mirror of ${queries} heads: not a multiple of the model's ${config.keyValueHeads} key-value heads`, {
      kind: "config-schema",
    });
  return {
    ...config,
    layers,
    heads: queries,
    hiddenSize: hiddenSize ?? config.hiddenSize,
    intermediateSize: intermediateSize ?? config.intermediateSize,
    windows: firstOf(config.windows, layers),
    ...(config.ropes && { ropes: firstOf(config.ropes, layers) }),
    tieWordEmbeddings: false,
  };
}

/** Of each layer; those beyond the last are as the last. */
const firstOf = <T>(each: readonly T[], layers: number): T[] =>
  Array.from({ length: layers }, (_, i) => each[Math.min(i, each.length - 1)]!);

/** The parameters of a decoder without a head, as transformers starts them. */
export function mirrorParameters(config: LlamaConfig): { readonly [name: string]: ParameterSpec } {
  const norms = new Set([...llamaModules(config)].flatMap(([path, { kind }]) => (kind === "norm" ? [`${path}.weight`] : [])));
  const init = (name: string): ParameterSpec["init"] =>
    norms.has(name) ? { kind: config.gemma ? "zeros" : "ones" } : name.endsWith(".bias") ? { kind: "zeros" } : { kind: "normal", std: STD };
  const own = [...llamaParameters(config)].filter(([name]) => name.startsWith("model."));
  return Object.fromEntries(own.map(([name, shape]) => [name.slice("model.".length), { shape, init: init(name), trainable: true }]));
}
