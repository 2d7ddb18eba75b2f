import { tensorBytes } from "@weft/io-safetensors";
import { importanceOf, type IntegerFormat } from "@weft/quant-nf4-awq";
import { ConfigError, ShapeError } from "@weft/tensor-core";
import type { WeightDType } from "../../plan/plan-merge.js";
import { keptDType } from "../../quantize/encode-job.js";
import { isQuantizable, isTurned, linearPath } from "../../quantize/modules.js";
import type { Wanted } from "../../quantize/plan-encode.js";
import { type RowSource, turned } from "../../quantize/row-source.js";
import { formatOf, type QuantTarget, targetOf } from "../../quantize/targets.js";
import { type CalibratedOptions, type CalibrationInput, runCalibrated } from "./calibrated/run-calibrated.js";
import { measureInputs } from "./calibrated/measure-importance.js";
import { keptWithin } from "./budget-checkpoint.js";
import { type EncodeBase, openEncodeBase } from "./encode-base.js";
import { measureLayers, type WrittenLayer } from "./measure-layers.js";
import type { QuantizedLayer } from "./quantized-layer.js";
import { storedTensors } from "../../quantize/stored-tensors.js";
import { type EncodeJobOptions, type EncodeResult, plainTo, type Recipe, runEncode } from "./run-encode.js";

/** What is quantised, and how. */
export interface QuantizeOptions extends EncodeJobOptions, QuantTarget, CalibratedOptions {
  /** Paths of modules, or last parts of them, that stay as they are. */
  readonly skip?: readonly string[] | undefined;
  /** Stores what is not quantised as this; undefined: as the program that reads the format expects, or as it is. */
  readonly dtype?: WeightDType | undefined;
  /** Samples that AWQ or GPTQ are guided by; without them, weights are rounded to the nearest. */
  readonly calibration?: CalibrationInput | undefined;
  /** Bytes that the weights' files may take: layers that lose most by being quantised stay as they are, as many as fit. */
  readonly budget?: number | undefined;
  /** Read what was written, and tell what each layer lost. */
  readonly measure?: boolean | undefined;
}

/**
 * Writes a checkpoint with the weights of its linear layers quantised, as the program of the format writes it: tensors, config.json, and which layers stay as they are (embeddings, norms,
 * heads, routers). Rows are encoded as they are read, on threads; memory is bounded by `maxMemory`, the bytes are the same for any number of threads, and the job goes on where it was stopped.
 * With `calibration`, memory is that of a block and of one Σ x·xᵀ, whatever the number of samples: what goes into a block lies in a file beside the output.
 * @throws ShapeError for a weight that the format does not divide; FormatError kind `non-finite`; ConfigError kinds `exists`, `output-is-input`, `other-job`, `config-value`; CapabilityError kinds
 * `memory-limit`, `unsupported-model`; IoError; CancelledError
 */
export async function quantizeCheckpoint(options: QuantizeOptions): Promise<EncodeResult> {
  const { to, groupSize, doubleQuant, calibration, actOrder = false, budget, measure = false, dryRun = false } = options;
  const target: QuantTarget = { to, ...(groupSize !== undefined && { groupSize }), ...(doubleQuant !== undefined && { doubleQuant }) };
  const { files, calibrated = false } = targetOf(target);
  if (calibration && !calibrated && budget === undefined)
    throw new ConfigError(`${to} rounds to the nearest: there is nothing to calibrate`, { hint: "awq and gptq are guided by samples" });
  if (actOrder && !(to === "gptq" && calibration))
    throw new ConfigError(`${to}${calibration ? "" : " without calibration"} quantises all inputs alike`, {
      hint: "the order of inputs is for gptq with calibration",
    });
  const inputs = calibration && (budget !== undefined || measure) && !dryRun ? await inputsOf(calibration, options) : undefined;
  const skip = [...(options.skip ?? []), ...(budget === undefined ? [] : await skippedFor(budget, target, options, inputs))];
  const recipe = recipeOf(target, { ...options, skip });
  const made =
    calibration && calibrated && !dryRun
      ? await runCalibrated({
          ...options,
          calibration,
          target,
          files,
          config: files.config!(formatOf(target)),
          recipe,
          skip: (path) => !isQuantizable(path, skip),
        })
      : { result: await runEncode("quantize", options, recipe), scales: new Map<string, Float32Array>() };
  if (!measure || dryRun) return made.result;
  return { ...made.result, layers: await measured(options, recipe, made.scales, inputs) };
}

/** What inputs count, by name of the weight: the mean of x². */
async function inputsOf(calibration: CalibrationInput, { out, signal, onProgress }: QuantizeOptions): Promise<Map<string, Float32Array>> {
  const found = await measureInputs({ ...calibration, beside: out, signal, onProgress });
  return new Map([...found].map(([path, statistics]) => [`${path}.weight`, importanceOf(statistics)]));
}

/** Paths of layers that stay as they are for a budget. */
async function skippedFor(
  budget: number,
  target: QuantTarget,
  options: QuantizeOptions,
  inputs: ReadonlyMap<string, Float32Array> | undefined,
): Promise<string[]> {
  const base = await openEncodeBase(options.base);
  const quantized = recipeOf(target, options)(base).wanted;
  const paths = quantized.flatMap(({ name, to }) => (to.kind === "quantized" ? [name.slice(0, -".weight".length)] : []));
  const plain = recipeOf(target, { ...options, skip: [...(options.skip ?? []), ...paths] })(base).wanted;
  const kept = await keptWithin(budget, base, { quantized, plain }, inputs, options);
  return [...kept].map((name) => name.slice(0, -".weight".length));
}

/** What layers lost, of a checkpoint that is written. */
async function measured(
  options: QuantizeOptions,
  recipe: (base: EncodeBase) => Recipe,
  scales: ReadonlyMap<string, Float32Array>,
  inputs: ReadonlyMap<string, Float32Array> | undefined,
): Promise<QuantizedLayer[]> {
  const { wanted, dtype } = recipe(await openEncodeBase(options.base));
  const layers = wanted.flatMap(({ name, source, to }): WrittenLayer[] => {
    const path = linearPath({ name, dtype: source.dtype, shape: source.shape });
    if (path === undefined) return [];
    const bytes = storedTensors(name, source, to).reduce((sum, tensor) => sum + tensorBytes(tensor), 0);
    const format = to.kind === "quantized" ? formatOf(to.target).name : (dtype ?? source.dtype.toLowerCase());
    return [{ name, format, bytes, source, scales: scales.get(path), importance: inputs?.get(name) }];
  });
  return measureLayers(options.out, layers, options);
}

/** What becomes of each tensor. */
const recipeOf =
  (target: QuantTarget, { skip = [], dtype: chosen, calibration, actOrder }: QuantizeOptions) =>
  (base: EncodeBase): Recipe => {
    const { to } = target;
    const format = formatOf(target);
    // A last group that is shorter is read by none of the programs.
    const block = Math.max(format.block, (format as Partial<IntegerFormat>).groupSize ?? 1);
    const { files, dtype: natural, calibrated } = targetOf(target);
    const dtype = chosen ?? natural;
    const kept: string[] = [];
    const wanted = base.tensors.map((tensor): Wanted => {
      const { name, source } = tensor;
      const path = linearPath({ name, dtype: source.dtype, shape: source.shape });
      if (path === undefined) return { name, source, to: plainTo(source, dtype) };
      if (!isQuantizable(path, skip)) {
        kept.push(path);
        return { name, source, to: plainTo(source, dtype) };
      }
      const laid = isTurned(path, base.model?.model_type) ? turned(source) : source;
      if (laid.shape[1]! % block !== 0) throw undivided(name, laid, block, to);
      return { name, source: laid, to: { kind: "quantized", target, dtype: dtype ?? keptDType(source) } };
    });
    return {
      wanted,
      dtype,
      config: { ...files.config!(format, skippedModules(kept, files.method)), ...(actOrder && { desc_act: true }) },
      notices:
        calibrated && !calibration
          ? [
              `${to}: weights are rounded to the nearest, without calibration data; the layout is the original's, its search is not made: --calibration FILE makes it`,
            ]
          : [],
    };
  };

/**
 * Writes a checkpoint with its floats in another dtype, rounded to nearest, ties to even, and quantised weights as their values.
 * @throws as `quantizeCheckpoint`
 */
export const convertCheckpoint = (options: EncodeJobOptions & { readonly dtype?: WeightDType | undefined }): Promise<EncodeResult> =>
  runEncode("convert", options, ({ tensors }) => ({
    wanted: tensors.map(({ name, source }) => ({ name, source, to: plainTo(source, options.dtype) })),
    dtype: options.dtype,
    config: undefined,
    notices: [],
  }));

/** What the config must name of the modules that stay as they are: those that the programs would not leave by themselves. */
function skippedModules(kept: readonly string[], method: string): readonly string[] | undefined {
  const heads = kept.filter((path) => /(^|\.)(lm_head|embed_out)$/.test(path));
  const others = kept.filter((path) => !/(^|[._])(embed\w*|wte|wpe|shared|lm_head)$|_embeddings?$/.test(path));
  if (method === "compressed-tensors") return [...heads, ...others];
  return others.length === 0 ? undefined : [...(heads.length > 0 ? heads : ["lm_head"]), ...others];
}

const undivided = (name: string, { shape, at }: RowSource, block: number, to: string): ShapeError =>
  new ShapeError(`${name}: rows of [${shape}] are no multiple of ${block}, the group of ${to}`, {
    tensor: name,
    file: at.file,
    hint: "choose a smaller --group-size, or leave the layer as it is: --skip NAME",
  });
