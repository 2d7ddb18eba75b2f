import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { AtomicFile, ioError, syncFolder, writeFileAtomic } from "@weft/io-safetensors/node";
import { ConfigError } from "@weft/tensor-core";
import type { OutputPlan } from "../plan/layout.js";
import { checkOutput } from "./check-output.js";
import { makeFolder } from "./make-folder.js";
import { fileDigest, shardDigest } from "./shard-digest.js";

/** Below the output: the units that are done, until all of them are. */
const UNITS = ".weft-units";

/** What is known of a unit that is done. */
export interface UnitRecord {
  /** Of the whole file. */
  readonly digest: string;
  /** SHA-256 of each tensor, by name. */
  readonly tensors: { readonly [name: string]: string };
}

/**
 * The units of a plan that processes write, on one machine or on several that share a disk. A unit is there when its record is, which is written last; two
 * processes that write the same unit write the same bytes, and the last one's stay. The folder above gets its files when all units are there.
 */
export class UnitFolder {
  private readonly path: string;
  private readonly open = new Map<number, AtomicFile>();

  private constructor(
    private readonly out: string,
    private readonly output: OutputPlan,
  ) {
    this.path = join(out, UNITS);
  }

  /**
   * @param id of the plan
   * @param inputs paths that are read
   * @throws ConfigError kinds `exists`, `output-is-input`, `other-job`; IoError
   */
  static async open(out: string, output: OutputPlan, id: string, inputs: readonly string[]): Promise<UnitFolder> {
    const begun = join(out, UNITS, "plan");
    checkOutput(out, inputs, existsSync(begun));
    makeFolder(out);
    try {
      mkdirSync(join(out, UNITS), { recursive: true });
    } catch (error) {
      throw ioError(error, out, "write");
    }
    if (!existsSync(begun)) await writeFileAtomic(begun, id);
    else if (readFileSync(begun, "utf8") !== id)
      throw new ConfigError(`${out} holds units of another plan`, {
        kind: "other-job",
        file: begun,
        hint: `choose another folder, or remove ${join(out, UNITS)} to begin anew`,
      });
    return new UnitFolder(out, output);
  }

  /** The record of a unit, if it is done and its file is what the record says. */
  async find(unit: number): Promise<UnitRecord | undefined> {
    const { file, layout } = this.output.shards[unit]!;
    const record = this.recordOf(unit);
    const path = join(this.path, file);
    if (!record || statSync(path, { throwIfNoEntry: false })?.size !== layout.size) return undefined;
    return (await fileDigest(path, layout)) === record.digest ? record : undefined;
  }

  /** Opens temporary files for units. @returns where each file of the output is written */
  begin(units: readonly number[]): { readonly path: string; readonly name: string }[] {
    return this.output.shards.map(({ file, layout }, unit) => {
      const name = join(this.path, file);
      if (!units.includes(unit)) return { path: name, name };
      const output = new AtomicFile(name, layout.size);
      this.open.set(unit, output);
      output.writeAt(layout.header, 0);
      return { path: output.temporary, name };
    });
  }

  /** A unit is complete. @returns its digest */
  async commit(unit: number, hashes: ReadonlyMap<string, string>): Promise<string> {
    const { layout } = this.output.shards[unit]!;
    await this.open.get(unit)!.commit();
    this.open.delete(unit);
    const digest = shardDigest(layout.header, layout, hashes);
    const tensors = Object.fromEntries(layout.tensors.map(({ name }) => [name, hashes.get(name)!]));
    await writeFileAtomic(this.recordPath(unit), JSON.stringify({ digest, tensors } satisfies UnitRecord));
    return digest;
  }

  /** Removes the temporary files of units that are not complete. */
  abandon(): void {
    for (const file of this.open.values()) file.abort();
    this.open.clear();
  }

  /**
   * Gives the files of all units their places, and what `complete` writes into the folder behind them; then nothing of the units is left.
   * @throws ConfigError kind `unfinished` naming units that are not there
   */
  async finish(complete: (out: string) => Promise<void>): Promise<readonly UnitRecord[]> {
    const { shards } = this.output;
    const isThere = (folder: string, unit: number): boolean =>
      statSync(join(folder, shards[unit]!.file), { throwIfNoEntry: false })?.size === shards[unit]!.layout.size;
    const records = shards.map((_, unit) => (isThere(this.path, unit) || isThere(this.out, unit) ? this.recordOf(unit) : undefined));
    const missing = records.flatMap((record, unit) => (record ? [] : [unit]));
    if (missing.length > 0)
      throw new ConfigError(`${this.out}: ${missing.length} of ${shards.length} units are not done: ${missing.slice(0, 10).join(", ")}`, {
        kind: "unfinished",
        file: this.out,
        hint: "run the plan again for those, with the same --index and --of",
      });
    for (const { file } of shards) {
      const from = join(this.path, file);
      // A finish that was stopped has moved some already.
      if (!existsSync(from)) continue;
      try {
        renameSync(from, join(this.out, file));
      } catch (error) {
        throw ioError(error, join(this.out, file), "write");
      }
    }
    syncFolder(this.out);
    await complete(this.out);
    rmSync(this.path, { recursive: true, force: true });
    return records as readonly UnitRecord[];
  }

  private recordOf(unit: number): UnitRecord | undefined {
    try {
      return JSON.parse(readFileSync(this.recordPath(unit), "utf8")) as UnitRecord;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw ioError(error, this.recordPath(unit), "read");
    }
  }

  private readonly recordPath = (unit: number): string => join(this.path, `unit-${unit}.json`);
}
