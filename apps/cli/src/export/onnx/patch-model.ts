import { closeSync, copyFileSync, fsyncSync, mkdirSync, openSync, readSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { mergeCheckpoint, type MergeOptions, type PreparedMerge, StagedFiles } from "@weft/checkpoint/node";
import { layoutFile } from "@weft/io-safetensors";
import { AtomicFile, ioError, openWeights, writeAll } from "@weft/io-safetensors/node";
import { CapabilityError, throwIfAborted, WeftError } from "@weft/tensor-core";
import { type Initializer, type OnnxModel, readOnnxModel } from "./model.js";
import { type Parameter, parametersOf, readersOf } from "./parameters.js";
import { transposed } from "./transposed.js";

/** What is merged into which model, and where the result goes. */
export interface PatchOptions extends Omit<MergeOptions, "dtype" | "maxShardSize" | "report" | "dryRun" | "force"> {
  /** The ONNX model. */
  readonly base: string;
  /** The model to write; files beside the base that hold its constants go beside it, under their names. */
  readonly out: string;
}

/** What was written. */
export interface PatchResult {
  readonly files: readonly string[];
  /** Constants of the model that have other values now. */
  readonly patched: number;
}

const WIDTH: { readonly [dtype: string]: 2 | 4 } = { F32: 4, F16: 2, BF16: 2 };
const BASE = "model.safetensors";

/**
 * Writes an ONNX model with adapters merged into its constants: the model's files with other bytes where the weights lie. What is merged is what `mergeCheckpoint` makes
 * of the model's parameters as a checkpoint. One tensor is in memory at a time.
 * @throws FormatError, IoError for the model; CapabilityError kind `unsupported-by-target` where a constant cannot take its value; errors of `mergeCheckpoint`
 */
export async function patchModel(options: PatchOptions): Promise<PatchResult> {
  const { base, out, signal } = options;
  const model = readOnnxModel(base);
  const parameters = parametersOf(model);
  const staged = new StagedFiles(dirname(out));
  try {
    const [checkpoint, merged] = [join(staged.path, "base"), join(staged.path, "merged")];
    await writeCheckpoint(checkpoint, parameters, signal);
    let changed: readonly string[] = [];
    const onPlan: MergeOptions["onPlan"] = (plan, resources) => {
      changed = changedIn(plan, join(checkpoint, BASE), model, parameters);
      options.onPlan?.(plan, resources);
    };
    await mergeCheckpoint({ ...options, base: checkpoint, out: merged, untie: false, onPlan });
    const files = [...model.locations, basename(out)];
    for (const file of files) {
      const to = join(staged.path, file);
      mkdirSync(dirname(to), { recursive: true });
      copyFileSync(file === basename(out) ? base : join(dirname(base), file), to);
    }
    await patch(
      merged,
      changed,
      parameters,
      (file) => join(staged.path, file === base ? basename(out) : file.slice(dirname(base).length + 1)),
      signal,
    );
    staged.publish(files);
    return { files: files.map((file) => join(dirname(out), file)), patched: changed.length };
  } catch (error) {
    staged.discard();
    throw ofModel(error, join(staged.path, "base"), base);
  }
}

/** The model's parameters as a checkpoint, in the order of PyTorch's axes. */
async function writeCheckpoint(folder: string, parameters: ReadonlyMap<string, Parameter>, signal: AbortSignal | undefined): Promise<void> {
  const entries = [...parameters].map(([name, { initializer, transposed: turned }]) => ({
    name,
    dtype: initializer.dtype,
    shape: turned ? initializer.shape.toReversed() : initializer.shape,
  }));
  const { header, tensors, size } = layoutFile(entries);
  mkdirSync(folder, { recursive: true });
  const file = new AtomicFile(join(folder, BASE), size);
  try {
    file.writeAt(header, 0);
    for (const { name, offset } of tensors) {
      throwIfAborted(signal);
      const { initializer, transposed: turned } = parameters.get(name)!;
      const data = read(initializer);
      file.writeAt(turned ? transposed(data, initializer.shape as [number, number], WIDTH[initializer.dtype]!) : data, offset);
    }
    await file.commit();
  } catch (error) {
    file.abort();
    throw error;
  }
}

function read({ file, offset, bytes }: Initializer): Uint8Array {
  const data = new Uint8Array(bytes);
  const from = openSync(file, "r");
  try {
    for (let done = 0; done < bytes;) {
      const count = readSync(from, data, done, bytes - done, offset + done);
      if (count === 0) break;
      done += count;
    }
    return data;
  } catch (error) {
    throw ioError(error, file, "read");
  } finally {
    closeSync(from);
  }
}

/**
 * Parameters that a merge changes, or takes from elsewhere.
 * @param checkpoint file of the model's parameters
 * @throws CapabilityError for what others in the model read, too, and what has another shape or dtype then
 */
function changedIn({ output }: PreparedMerge, checkpoint: string, model: OnnxModel, parameters: ReadonlyMap<string, Parameter>): string[] {
  const refuse = (name: string, reason: string, hint: string): never => {
    throw new CapabilityError(`${model.path}: ${name} ${reason}`, { kind: "unsupported-by-target", file: model.path, tensor: name, hint });
  };
  const changed = output.items.filter(({ steps, patches, source }) => steps.length > 0 || patches.length > 0 || source.file !== checkpoint);
  for (const { name, shape, dtype } of changed) {
    const found = parameters.get(name) ?? refuse(name, "is not among the model's constants", "export the base model with this layer");
    const { initializer, transposed: turned } = found as Parameter;
    const readers = readersOf(model, initializer);
    if (readers.length > 1)
      refuse(
        name,
        `is one constant (${initializer.name}) with what ${readers.join(" and ")} read`,
        "export the base model with untied weights",
      );
    const own = `${initializer.dtype} [${turned ? initializer.shape.toReversed() : initializer.shape}]`;
    if (`${dtype} [${shape}]` !== own)
      refuse(name, `becomes ${dtype} [${shape}], its constant is ${own}`, "weft merge, and export the merged checkpoint");
  }
  return changed.map(({ name }) => name);
}

/** Writes merged parameters where the constants lie in the copies of the model's files. */
async function patch(
  merged: string,
  changed: readonly string[],
  parameters: ReadonlyMap<string, Parameter>,
  copyOf: (file: string) => string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const source = await openWeights(merged);
  const open = new Map<string, number>();
  try {
    for (const name of changed) {
      throwIfAborted(signal);
      const { initializer, transposed: turned } = parameters.get(name)!;
      const { data, shape } = await source.read(name);
      const file = copyOf(initializer.file);
      if (!open.has(file)) open.set(file, openSync(file, "r+"));
      const bytes = turned ? transposed(data, shape as readonly [number, number], WIDTH[initializer.dtype]!) : data;
      writeAll(open.get(file)!, bytes, initializer.offset, file);
    }
    for (const fd of open.values()) fsyncSync(fd);
  } finally {
    for (const fd of open.values()) closeSync(fd);
    await source.close();
  }
}

/** An error about the checkpoint that the model was made, as one about the model. */
function ofModel(error: unknown, checkpoint: string, model: string): unknown {
  if (!(error instanceof WeftError)) return error;
  const named = (text: string): string => text.replaceAll(join(checkpoint, BASE), model).replaceAll(checkpoint, model);
  const { code, message, kind, file, tensor, hint, cause } = error;
  return new WeftError(code, named(message), {
    kind,
    ...(file !== undefined && { file: named(file) }),
    ...(tensor !== undefined && { tensor }),
    ...(hint !== undefined && { hint: named(hint) }),
    cause,
  });
}
