import { existsSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { type ConvertModule, readFactors } from "@weft/convert";
import { checkOutput, openAdapterAt } from "@weft/checkpoint/node";
import { ConfigError, encode, MatchError, ShapeError } from "@weft/tensor-core";
import { writeFileAtomic } from "@weft/io-safetensors/node";
import type { Context } from "../context.js";
import { adapterFile, type AdapterParameter } from "../export/onnx/adapter-file.js";
import { type ModelInput, readOnnxModel } from "../export/onnx/model.js";
import { patchModel } from "../export/onnx/patch-model.js";
import { asLora } from "../export/as-lora.js";
import { assertServed, ONNX_ADAPTER } from "../export/servers.js";
import { UsageError } from "../failure.js";
import { modulesOfAdapter } from "../files/adapter-modules.js";
import { savedText } from "../files/saved-adapter.js";
import { showProgress } from "../progress.js";
import type { ExportCommandOptions } from "./export.js";

/** `weft export ADAPTER --target onnx -o OUT`: an .onnx_adapter file, or with `--base MODEL.onnx` the model with the adapter in its constants. */
export function exportOnnx(path: string, options: ExportCommandOptions, context: Context): Promise<void> {
  const { out, base } = options;
  if (base !== undefined && !base.endsWith(".onnx")) throw new UsageError(`${base}: for onnx the base is an .onnx file`);
  if (out.endsWith(".onnx_adapter")) return writeAdapter(path, options, context);
  if (!out.endsWith(".onnx"))
    throw new UsageError(`${out}: for onnx the name ends in .onnx_adapter, or in .onnx for the base with the adapter merged in`);
  if (base === undefined) throw new UsageError(`${out}: into which model is the adapter to be merged?`, "name it: --base MODEL.onnx");
  return writeModel(path, { ...options, base }, context);
}

async function writeModel(path: string, options: ExportCommandOptions & { readonly base: string }, context: Context): Promise<void> {
  const { out, base, alpha, adapterName } = options;
  const { force, dryRun, jobs } = context.options;
  checkOutput(out, [path, base], force);
  const { locations } = readOnnxModel(base);
  if (locations.length > 0 && resolve(dirname(out)) === resolve(dirname(base)))
    throw new ConfigError(`${out}: ${locations[0]}, which goes beside it, is the base's own`, {
      kind: "output-is-input",
      file: out,
      hint: "choose an output in another folder: a model finds its data by their names",
    });
  const taken = force ? undefined : locations.map((name) => join(dirname(out), name)).find((file) => existsSync(file));
  if (taken !== undefined) checkOutput(taken, [], false);
  if (dryRun) {
    const files = [out, ...locations.map((name) => join(dirname(out), name))];
    context.out.result({ dryRun: true, files }, () => files.map((file) => `would write ${file}`).join("\n"));
    return;
  }
  const { table: methods, files: methodFiles } = await context.methods();
  const { onProgress, end } = showProgress(context.out);
  const { files, patched } = await patchModel({
    base,
    out,
    adapters: [path],
    methods,
    methodFiles,
    alpha,
    adapterName,
    jobs,
    signal: context.signal,
    onProgress,
    onPlan: ({ notices }) => notices.forEach((notice) => context.out.warn(notice)),
  }).finally(end);
  const written = files.map((name) => ({ name, bytes: statSync(name).size }));
  context.out.result({ target: "onnx", files: written, patched }, () =>
    [...savedText(written), `${patched} constants have the adapter merged in`].join("\n"),
  );
}

async function writeAdapter(path: string, options: ExportCommandOptions, context: Context): Promise<void> {
  const { out, base } = options;
  checkOutput(out, [path, base], context.options.force);
  const inputs = base === undefined ? undefined : readOnnxModel(base).inputs;
  const adapter = await openAdapterAt(path, (await context.methods()).table, options);
  try {
    const modules = modulesOfAdapter(adapter, "peft", undefined, context).modules.map(asLora);
    assertServed(adapter, modules, ONNX_ADAPTER);
    const parameters: AdapterParameter[] = [];
    for (const module of modules) parameters.push(...(await parametersOf(module, inputs, base)));
    const bytes = adapterFile(parameters);
    if (context.options.dryRun) {
      context.out.result(
        { dryRun: true, target: "onnx", modules: modules.length, file: out },
        () => `would write ${out}  ${parameters.length} tensors`,
      );
      return;
    }
    await writeFileAtomic(out, bytes);
    const files = [{ name: out, bytes: bytes.length }];
    context.out.result({ target: "onnx", files, modules: modules.length }, () =>
      [...savedText(files), `${modules.length} modules`].join("\n"),
    );
  } finally {
    await adapter.weights.close();
  }
}

/** The factors as the model's inputs: turned, with the scale in the second. */
async function parametersOf(
  module: ConvertModule,
  inputs: ReadonlyMap<string, ModelInput> | undefined,
  base: string | undefined,
): Promise<AdapterParameter[]> {
  const { out, rank, inputs: width, up, down } = await readFactors(module);
  const scaled = up.map((x) => x * module.scale);
  return [["lora_A", [width, rank], turned(down, rank, width)] as const, ["lora_B", [rank, out], turned(scaled, out, rank)] as const].map(
    ([factor, shape, values]) => {
      const own = `${module.path}.${factor}.weight`;
      const name = inputs ? inputNamed(own, inputs, base!) : own;
      const { dtype = "F32", shape: wanted = [] } = inputs?.get(name) ?? {};
      if (wanted.some((d, axis) => d >= 0 && d !== shape[axis]))
        throw new ShapeError(`${base}: ${name} is [${wanted}], the adapter has [${shape}]`, { tensor: name });
      const half = dtype === "F16";
      return { name, shape, dtype: half ? "F16" : "F32", data: encode(values, half ? "f16" : "f32") };
    },
  );
}

/** The model's input of a name, whatever stands in front of it. */
function inputNamed(name: string, inputs: ReadonlyMap<string, ModelInput>, base: string): string {
  const found = [...inputs.keys()].find((one) => one === name || one.endsWith(`.${name}`));
  if (found !== undefined) return found;
  throw new MatchError(`${base} has no input ${name}`, {
    kind: "missing-modules",
    file: base,
    tensor: name,
    hint: "a model that takes adapters has their factors as inputs (Olive: extract-adapters); -o MODEL.onnx merges into any",
  });
}

function turned(values: ArrayLike<number>, rows: number, columns: number): Float32Array {
  const result = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) result[column * rows + row] = values[row * columns + column]!;
  return result;
}
