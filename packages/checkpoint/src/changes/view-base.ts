import type { Quantization, WeightSource } from "@weft/io-safetensors";
import type { OpenedAdapter } from "@weft/adapter-files";
import { quantizationOf } from "../node/quantization-of.js";
import { folderOf, readModelConfig } from "../node/side-files.js";
import { findTie, type Tie, withAlias } from "./tied.js";

/** A base as adapters are matched to it: with both names of tied embeddings, and knowing what is quantised. */
export interface BaseView {
  readonly base: WeightSource;
  readonly tie: Tie | undefined;
  readonly quantization: Quantization;
  /** Its config.json. */
  readonly model: ReturnType<typeof readModelConfig>;
}

/** @throws ConfigError kind `config-json` */
export async function viewBase(checkpoint: WeightSource, adapters: readonly OpenedAdapter[]): Promise<BaseView> {
  const model = readModelConfig(folderOf(checkpoint.location));
  const tie = await findTie(checkpoint, model, pathsOf(adapters));
  return { base: withAlias(checkpoint, tie), tie, quantization: quantizationOf(checkpoint), model };
}

/** Paths of the modules that adapters change or bring. */
const pathsOf = (adapters: readonly OpenedAdapter[]): Set<string> =>
  new Set(
    adapters.flatMap(({ modules, modulesToSave, embeddings, trainableTokens }) => [
      ...[...modules.values()].map(({ path }) => path),
      ...[...modulesToSave.keys(), ...embeddings.keys()].map((name) => name.slice(0, name.lastIndexOf("."))),
      ...trainableTokens.keys(),
    ]),
  );
