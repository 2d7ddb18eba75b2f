import { existsSync, mkdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { ConfigError } from "@weft/tensor-core";
import { hashFile, ioError, Journal, JOURNAL, openWeights, removeStale, writeSafetensorsFile } from "@weft/io-safetensors/node";
import type { LocatedTensor } from "@weft/io-safetensors";
import {
  type OpenStore,
  type QuantFiles,
  type QuantizationConfig,
  type QuantizedBlock,
  type QuantizedWeight,
  quantizedTensors,
} from "@weft/quant-nf4-awq";
import { checkOutput } from "../../check-output.js";
import { makeFolder, removeFolder } from "../../make-folder.js";
import { SampleFile } from "./sample-file.js";

/** Where the blocks of a calibrated quantisation lie in the output's folder until all are done. */
const FOLDER = ".weft-calibrated";
/** What inputs of a layer are divided by, in place of its weight's name. */
const SCALES = "awq_scales";

/** Floats in memory as a file holds them. */
const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array => new Uint8Array(buffer, byteOffset, byteLength);

/** A block that is done: where its tensors lie. */
export interface DoneBlock {
  /** By path, then by name behind it. */
  readonly weights: ReadonlyMap<string, ReadonlyMap<string, LocatedTensor>>;
  /** Parameters that changed, by name. */
  readonly parameters: ReadonlyMap<string, LocatedTensor>;
}

/** The blocks that a calibrated quantisation has done, each in a file of its own, so that it goes on where it was stopped. */
export class CalibratedFolder {
  private stores = 0;

  private constructor(
    private readonly out: string,
    private readonly path: string,
    private readonly created: string | undefined,
    private readonly journal: Journal,
    private readonly files: QuantFiles,
    private readonly config: QuantizationConfig,
  ) {}

  /**
   * @param job hash of all that the weights depend on
   * @param base what is read, which the output must not replace
   * @throws ConfigError kinds `exists`, `other-job`; IoError
   */
  static open(
    out: string,
    { job, base, force }: { readonly job: string; readonly base: string; readonly force: boolean },
    files: QuantFiles,
    config: QuantizationConfig,
  ): CalibratedFolder {
    const path = join(out, FOLDER);
    // A later step of the same job was stopped: it says itself what it finds.
    if (!existsSync(path) && !existsSync(join(out, JOURNAL))) checkOutput(out, [base], force);
    const created = makeFolder(out);
    try {
      if (force && existsSync(path) && isOther(path, job)) rmSync(path, { recursive: true });
      mkdirSync(path, { recursive: true });
      removeStale(path);
      return new CalibratedFolder(out, path, created, new Journal(path, job), files, config);
    } catch (error) {
      removeFolder(out, created);
      throw error instanceof ConfigError ? error : ioError(error, path, "write");
    }
  }

  /** Opens a file for what is kept of each sample. */
  readonly openStore: OpenStore = () => new SampleFile(join(this.path, `samples-${this.stores++}`));

  /** The weights of a block that is done. */
  async known(index: number, paths: readonly string[]): Promise<ReadonlyMap<string, QuantizedWeight> | undefined> {
    const file = this.fileOf(index);
    if (!(await this.journal.isFinished(file))) return undefined;
    const source = await openWeights(join(this.path, file));
    try {
      const weights = new Map<string, QuantizedWeight>();
      for (const [path, names] of quantizedTensors(source.names(), paths)) {
        names.delete(SCALES);
        const tensors = new Map(await Promise.all([...names].map(async ([key, name]) => [key, await source.read(name)] as const)));
        weights.set(path, this.files.read(tensors, { path, config: this.config }));
      }
      return weights;
    } finally {
      await source.close();
    }
  }

  /** Writes a block. */
  async add({ index, weights, parameters, scales }: QuantizedBlock): Promise<void> {
    const file = this.fileOf(index);
    const floats = (name: string, values: Float32Array): { name: string; dtype: "F32"; shape: number[]; data: Uint8Array } => ({
      name,
      dtype: "F32",
      shape: [values.length],
      data: bytesOf(values),
    });
    await writeSafetensorsFile(join(this.path, file), [
      ...[...weights].flatMap(([path, weight]) =>
        [...this.files.write!(weight)].map(([key, { dtype, shape, data }]) => ({ name: `${path}.${key}`, dtype, shape, data })),
      ),
      ...[...parameters].map(([name, values]) => floats(name, values)),
      ...[...scales].filter(([path]) => weights.has(path)).map(([path, values]) => floats(`${path}.${SCALES}`, values)),
    ]);
    const path = join(this.path, file);
    this.journal.add({ file, size: statSync(path).size, sha256: await hashFile(path) });
  }

  /** Where the tensors of a block lie. @param paths of its layers */
  async locate(index: number, paths: readonly string[]): Promise<DoneBlock> {
    const source = await openWeights(join(this.path, this.fileOf(index)));
    try {
      const weights = new Map<string, Map<string, LocatedTensor>>();
      const used = new Set<string>();
      for (const [path, names] of quantizedTensors(source.names(), paths)) {
        const own = [...names].filter(([key]) => key !== SCALES && key !== "weight");
        if (own.length > 0) weights.set(path, new Map(own.map(([key, name]) => [key, source.info(name)])));
        const scale = names.get(SCALES);
        for (const name of [...own.map(([, name]) => name), ...(scale === undefined ? [] : [scale])]) used.add(name);
      }
      const others = [...source.names()].filter((name) => !used.has(name));
      return { weights, parameters: new Map(others.map((name) => [name, source.info(name)])) };
    } finally {
      await source.close();
    }
  }

  /** What the inputs of layers are divided by, by path. @param layers paths of each block */
  async scales(layers: readonly (readonly string[])[]): Promise<Map<string, Float32Array>> {
    const found = new Map<string, Float32Array>();
    for (const [index, paths] of layers.entries()) {
      const source = await openWeights(join(this.path, this.fileOf(index)));
      try {
        for (const path of paths)
          if (source.has(`${path}.${SCALES}`))
            found.set(path, new Float32Array((await source.read(`${path}.${SCALES}`)).data.slice().buffer));
      } finally {
        await source.close();
      }
    }
    return found;
  }

  /** All is in its place: the blocks are not needed any more. */
  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  /** Leaves nothing behind but what was there before. */
  discard(): void {
    this.remove();
    removeFolder(this.out, this.created);
  }

  private fileOf(index: number): string {
    return `block-${String(index).padStart(5, "0")}.safetensors`;
  }
}

/** Whether a folder holds the blocks of another job. */
function isOther(path: string, job: string): boolean {
  try {
    return !new Journal(path, job).resumed;
  } catch (error) {
    if (error instanceof ConfigError && error.kind === "other-job") return true;
    throw error;
  }
}
