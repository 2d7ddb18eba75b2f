import { mkdtempSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { architectureOfConfig, type Imatrix, type ImatrixEntry, tensorNames } from "@weft/io-gguf";
import { ioError } from "@weft/io-safetensors/node";
import { sizeOf } from "@weft/tensor-core";
import { calibrate, type Calibration } from "@weft/quant-nf4-awq";
import type { OnProgress } from "../../../job-progress.js";
import { localPath } from "../../open-input.js";
import { makeFolder, removeFolder } from "../../make-folder.js";
import { folderOf, readModelConfig } from "../../side-files.js";
import type { CalibrationInput } from "./run-calibrated.js";
import { SampleFile } from "./sample-file.js";

/** What an importance matrix is measured of, and where. */
export interface ImportanceOptions extends CalibrationInput {
  /** Checkpoint of the model. */
  readonly base: string;
  /** Name of the text that the samples are from. */
  readonly dataset: string;
  /** A path beside which what is kept of the samples lies meanwhile, 4 · tokens · hidden bytes. */
  readonly beside: string;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** What the inputs of every layer of a model are, by path, in the memory of a block. @throws as `measureImportance` */
export async function measureInputs({
  model,
  device,
  samples,
  beside,
  signal,
  onProgress,
}: Omit<ImportanceOptions, "base" | "dataset">): Promise<Calibration> {
  const weights = model.layers().reduce((sum, { layer }) => sum + (layer.kind === "linear" ? sizeOf(layer.shape) : 0), 0);
  const created = makeFolder(dirname(beside));
  let scratch: string | undefined;
  try {
    try {
      scratch = mkdtempSync(join(dirname(beside), ".weft-samples-"));
    } catch (error) {
      throw ioError(error, beside, "write");
    }
    const path = join(scratch, "states");
    return await calibrate(model, samples, {
      device,
      keepStates: () => new SampleFile(path),
      releaseWeights: true,
      signal,
      onProgress: (done, total) =>
        onProgress?.({
          phase: "calibrate",
          done: Math.round((weights * done) / total),
          total: weights,
          item: `block ${done} of ${total}`,
        }),
    });
  } finally {
    if (scratch !== undefined) rmSync(scratch, { recursive: true, force: true });
    removeFolder(dirname(beside), created);
  }
}

/**
 * The importance matrix of a model: Σ x² of what goes into its layers, in the memory of a block.
 * @throws CapabilityError kind `unsupported-model` for models that GGUF files do not hold; ConfigError without samples; IoError; CancelledError
 */
export async function measureImportance({ base, dataset, ...options }: ImportanceOptions): Promise<Imatrix> {
  const folder = folderOf(localPath(base));
  const names = tensorNames(architectureOfConfig(readModelConfig(folder) ?? {}, join(folder, "config.json")));
  const entries = [...(await measureInputs(options))].map(([layer, { squares, tokens }]): [string, ImatrixEntry] => [
    names.toGguf(`${layer}.weight`)!.name,
    { sums: Float32Array.from(squares), counts: Float32Array.of(tokens) },
  ]);
  const { samples } = options;
  return { entries: new Map(entries), datasets: [dataset], chunks: samples.length, chunkSize: samples[0]!.length };
}
