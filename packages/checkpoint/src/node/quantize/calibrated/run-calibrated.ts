import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { type BlockwiseModel, CancelledError, CapabilityError, ConfigError, type Device, sizeOf } from "@weft/tensor-core";
import { type QuantFiles, type QuantizationConfig, quantizeAWQ, quantizeGPTQ, type QuantizeModelOptions } from "@weft/quant-nf4-awq";
import { keptDType } from "../../../quantize/encode-job.js";
import type { Wanted } from "../../../quantize/plan-encode.js";
import type { QuantTarget } from "../../../quantize/targets.js";
import { checkPlace } from "../../check-output.js";
import { openEncodeBase } from "../encode-base.js";
import { type EncodeJobOptions, type EncodeResult, type Recipe, runEncode } from "../run-encode.js";
import type { EncodeBase } from "../encode-base.js";
import { CalibratedFolder } from "./calibrated-folder.js";

/** What a quantisation is calibrated by. */
export interface CalibrationInput {
  /** The model of the base. Its weights are let go of block by block: it is loaded with `whenNeeded`. */
  readonly model: BlockwiseModel;
  /** Where it runs. */
  readonly device: Device;
  /** Token ids of each sample. */
  readonly samples: readonly ArrayLike<number>[];
}

/** Which options of the searches differ from their defaults. */
export interface CalibratedOptions {
  /** GPTQ: quantise inputs in the order of their energy. */
  readonly actOrder?: boolean | undefined;
}

/** Everything that a calibrated quantisation is made from. */
export interface CalibratedJob extends EncodeJobOptions, CalibratedOptions {
  readonly calibration: CalibrationInput;
  readonly target: QuantTarget;
  readonly files: QuantFiles;
  readonly config: QuantizationConfig;
  readonly recipe: (base: EncodeBase) => Recipe;
  /** Paths of layers that stay as they are. */
  readonly skip: (path: string) => boolean;
}

/** Hash of the samples: their lengths and their tokens. */
function hashOfSamples(samples: CalibrationInput["samples"]): string {
  const hash = createHash("sha256");
  for (const ids of samples) {
    hash.update(Int32Array.of(ids.length));
    hash.update(Int32Array.from(ids));
  }
  return hash.digest("hex");
}

/** Layers of blocks that are quantised, block by block. @throws CapabilityError kind `unsupported-model` for a model whose layers have other names than the checkpoint's */
function layersOf({ calibration: { model }, skip, base: path }: CalibratedJob, base: EncodeBase): string[][] {
  const known = new Set(base.tensors.map(({ name }) => name));
  return Array.from({ length: model.blockCount }, (_, index) => {
    const paths = model
      .sharedInputs(index)
      .flatMap(({ layers }) => layers)
      .filter((layer) => !skip(layer));
    const missing = paths.find((layer) => !known.has(`${layer}.weight`));
    if (missing !== undefined)
      throw new CapabilityError(`${path}: the checkpoint has other names than the model (${missing}.weight)`, {
        kind: "unsupported-model",
        file: path,
        tensor: `${missing}.weight`,
        hint: "without --calibration the weights are rounded to the nearest",
      });
    return paths;
  });
}

/** Quantises by samples, block by block, then writes what became of the blocks as a checkpoint. `scales`: what the inputs of layers are divided by now, by path. A stopped job goes on behind the last block that is done. */
export async function runCalibrated(
  job: CalibratedJob,
): Promise<{ readonly result: EncodeResult; readonly scales: ReadonlyMap<string, Float32Array> }> {
  const { base: path, out, force = false, signal, onProgress, calibration, target, files, config, recipe, skip, actOrder = false } = job;
  checkPlace(out, [path]);
  const base = await openEncodeBase(path);
  // What cannot be is said before anything is computed.
  const { wanted } = recipe(base);
  const layers = layersOf(job, base);
  const sizes = new Map(wanted.map(({ name, source }) => [name.slice(0, -".weight".length), sizeOf(source.shape)]));
  const total = layers.flat().reduce((sum, layer) => sum + sizes.get(layer)!, 0);
  const inputs = base.inputs.map((file) => [file, statSync(file).size, statSync(file).mtimeMs]);
  const identity = JSON.stringify([1, inputs, target, actOrder, layers, hashOfSamples(calibration.samples)]);
  const folder = CalibratedFolder.open(out, { job: createHash("sha256").update(identity).digest("hex"), base: path, force }, files, config);
  let done = 0;
  const told = (layer: string): void => {
    done += sizes.get(layer)!;
    onProgress?.({ phase: "calibrate", done, total, item: layer });
  };
  const { model, samples, device } = calibration;
  const search: QuantizeModelOptions & Parameters<typeof quantizeAWQ>[2] = {
    device,
    skip,
    keepStates: folder.openStore,
    releaseWeights: true,
    signal,
    ...(target.groupSize !== undefined && { groupSize: target.groupSize }),
    onLayer: told,
    onBlock: (block) => folder.add(block),
    async known(index) {
      const found = await folder.known(index, layers[index]!);
      if (found) for (const layer of layers[index]!) told(layer);
      return found;
    },
  };
  try {
    if (target.to === "gptq") await quantizeGPTQ(model, samples, { ...search, descAct: actOrder });
    else await quantizeAWQ(model, samples, search);
    const result = await runEncode("quantize", job, await madeRecipe(job, folder, layers));
    const scales = await folder.scales(layers);
    folder.remove();
    return { result, scales };
  } catch (error) {
    if (!(error instanceof CancelledError)) {
      folder.discard();
      throw error;
    }
    throw new CancelledError("stopped", { hint: "the same command goes on behind the last block that is done" });
  }
}

/** The recipe with weights that are made already in the place of those that would be rounded. */
async function madeRecipe(
  { recipe, target: { to } }: CalibratedJob,
  folder: CalibratedFolder,
  layers: readonly (readonly string[])[],
): Promise<(base: EncodeBase) => Recipe> {
  const blocks = await Promise.all(layers.map((paths, index) => folder.locate(index, paths)));
  return (base) => {
    const { wanted, ...rest } = recipe(base);
    const byName = new Map(wanted.map((one) => [one.name, one]));
    for (const { weights, parameters } of blocks) {
      for (const [path, tensors] of weights) {
        const name = `${path}.weight`;
        const made = [...tensors].map(([key, { file, offset, bytes, dtype, shape }]) => ({ key, file, offset, bytes, dtype, shape }));
        byName.set(name, { ...byName.get(name)!, to: { kind: "made", tensors: made } });
      }
      for (const [name, { file, offset, bytes }] of parameters) {
        const before = byName.get(name);
        if (!before) throw new ConfigError(`${to}: the checkpoint has no ${name}, which would take over scales`, { tensor: name });
        const { shape } = before.source;
        const changed: Wanted = {
          name,
          source: { shape, dtype: "F32", at: { file, offset, bytes } },
          to: { kind: "cast", dtype: rest.dtype ?? keptDType(before.source) },
        };
        byName.set(name, changed);
      }
    }
    return { ...rest, wanted: [...byName.values()], notices: [] };
  };
}
