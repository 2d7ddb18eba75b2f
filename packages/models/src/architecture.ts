import { findQuantization, type WeightSource } from "@weft/io-safetensors";
import { type LongCallOptions, ShapeError } from "@weft/tensor-core";
import { type ConfigJson, parseConfig } from "./config-fields.js";
import type { ModelOptions, Tied } from "./model.js";
import { denseParameters, type ParameterSource } from "./sources/parameter-source.js";
import { loadWeights, type Weights } from "./weights.js";

/** A kind of model that can be loaded. */
export interface Architecture<M> {
  /** transformers' `model_type`s that it is. */
  readonly modelTypes: readonly string[];
  /** See `parameterShapes`. */
  parameterShapes(json: ConfigJson): ReadonlyMap<string, readonly number[]>;
  /**
   * Reads the parameters that the config asks for; other tensors of the source are left alone, and quantised weights stay packed.
   * @param json `config.json`: its text, its bytes, or parsed
   * @throws ConfigError; FormatError kinds `missing-tensor`, `quantized-weight`; CapabilityError kind `quantized-base`; ShapeError naming the tensor; CancelledError
   */
  load(
    json: ConfigJson | string | Uint8Array,
    source: WeightSource | ParameterSource,
    options?: ModelOptions & LongCallOptions,
  ): Promise<M>;
}

/** What loading needs to know of an architecture. */
export interface ArchitectureDefinition<Config, M> {
  /** transformers' `model_type`s that it is. */
  readonly modelTypes: readonly string[];
  /** @throws ConfigError naming the field */
  readConfig(json: ConfigJson): Config;
  /** Names and shapes of the parameters, as transformers has them. */
  parameters(config: Config): Map<string, readonly number[]>;
  /** Two names of one parameter, if the config ties them. */
  tied?(config: Config): Tied | undefined;
  /** Further names of a parameter, in files of other programs or versions. */
  aliases?(name: string): readonly string[];
  /** Whether a checkpoint may lack a parameter: then the model does without it. */
  optional?(name: string): boolean;
  create(config: Config, weights: Weights, options: ModelOptions): M;
}

/** An architecture from its definition. */
export function architecture<Config, M>(definition: ArchitectureDefinition<Config, M>): Architecture<M> {
  return {
    modelTypes: definition.modelTypes,
    parameterShapes(json) {
      const config = definition.readConfig(json);
      const shapes = definition.parameters(config);
      const [head] = definition.tied?.(config) ?? [];
      if (head !== undefined) shapes.delete(head);
      return shapes;
    },
    async load(json, source, options = {}) {
      const config = parseConfig(json);
      return load(definition, definition.readConfig(config), await parametersOf(source, config), options);
    },
  };
}

/** The parameters of a checkpoint; those of quantised ones need code that others do without. */
async function parametersOf(source: WeightSource | ParameterSource, config: ConfigJson): Promise<ParameterSource> {
  if ("parameter" in source) return source;
  const quantization = findQuantization(source, config);
  if (quantization.weights.size === 0) return denseParameters(source);
  const { quantizedParameters } = await import("./sources/quantized-parameters.js");
  return quantizedParameters(source, quantization, config["quantization_config"] as ConfigJson | undefined);
}

async function load<Config, M>(
  definition: ArchitectureDefinition<Config, M>,
  config: Config,
  source: ParameterSource,
  { signal, onProgress, ...options }: ModelOptions & LongCallOptions,
): Promise<M> {
  const nameIn = (name: string): string => [name, ...(definition.aliases?.(name) ?? [])].find((one) => source.has(one)) ?? name;
  const expected = definition.parameters(config);
  const tied = definition.tied?.(config);
  // Of two tied tensors the one that is there serves for both; if both are, both are used, as they may have come to differ.
  if (tied?.some((name) => source.has(nameIn(name)))) for (const name of tied) if (!source.has(nameIn(name))) expected.delete(name);
  for (const name of expected.keys()) if (definition.optional?.(name) && !source.has(nameIn(name))) expected.delete(name);
  const files = new Map([...expected.keys()].map((name) => [nameIn(name), name]));
  const read = await loadWeights(source, {
    names: files.keys(),
    signal,
    onProgress,
    ...(options.device && { device: options.device }),
    ...(options.whenNeeded && { whenNeeded: true }),
  });
  const weights = new Map([...read].map(([name, weight]) => [files.get(name)!, weight]));
  for (const [name, shape] of expected) {
    const found = weights.get(name)!;
    if (found.shape.join() !== shape.join()) {
      const inFile = nameIn(name);
      throw new ShapeError(`${source.location}: ${inFile} is [${found.shape}], but config.json asks for [${shape}]`, {
        tensor: inFile,
        file: source.location,
      });
    }
  }
  return definition.create(config, weights, options);
}
