import { findQuantization, type Quantization, type WeightSource } from "@weft/io-safetensors";
import type { OpenedAdapter } from "@weft/adapter-files";
import type { ByteReader } from "../source/byte-reader.js";
import { findTie, type ModelConfig, type Tie, withAlias } from "./tied.js";

/** A base as adapters are matched to it: with both names of tied embeddings, and knowing what is quantised. */
export interface BaseView {
  readonly base: WeightSource;
  readonly tie: Tie | undefined;
  readonly quantization: Quantization;
  /** Its config.json. */
  readonly model: ModelConfig | undefined;
}

/** Views a base as adapters are matched to it. @param model the base's config.json, if there is one */
export async function viewBase(
  checkpoint: WeightSource,
  adapters: readonly OpenedAdapter[],
  model: ModelConfig | undefined,
  files: ByteReader,
): Promise<BaseView> {
  const tie = await findTie(checkpoint, model, pathsOf(adapters), files);
  return { base: withAlias(checkpoint, tie), tie, quantization: findQuantization(checkpoint, model), model };
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
