import { existsSync, mkdirSync, rmdirSync, rmSync, statfsSync, statSync, truncateSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { ConfigError, IoError } from "@weft/tensor-core";
import { AtomicFile, ioError, Journal, JOURNAL, removeStale } from "@weft/io-safetensors/node";
import { formatBytes } from "../output.js";
import { fileDigest, type OutputPlan, shardDigest } from "./layout.js";

export interface FolderOptions {
  readonly force: boolean;
  /** Hash of everything that the output depends on. */
  readonly job: string;
  /** Files that are read; none of them may be written. */
  readonly inputs: readonly string[];
}

/** The folder that a job writes: nothing under a final name is ever incomplete, and the same job goes on where it was stopped. */
export class OutputFolder {
  readonly path: string;
  /** Shards that are complete already, by index. */
  readonly finished: ReadonlySet<number>;
  private readonly plan: OutputPlan;
  private readonly created: string | undefined;
  private readonly journal: Journal;
  private readonly open = new Map<number, AtomicFile>();
  private readonly written: string[] = [];

  private constructor(path: string, plan: OutputPlan, created: string | undefined, journal: Journal, finished: ReadonlySet<number>) {
    this.path = path;
    this.plan = plan;
    this.created = created;
    this.journal = journal;
    this.finished = finished;
  }

  /** @throws ConfigError kinds `exists`, `other-job`, `output-is-input`; IoError kinds `disk-full`, `no-permission` */
  static async open(path: string, plan: OutputPlan, sideFiles: readonly string[], options: FolderOptions): Promise<OutputFolder> {
    refuseInputs(path, plan, options.inputs);
    const created = makeFolder(path);
    let journal: Journal | undefined;
    try {
      removeStale(path);
      if (!options.force) refuseOutput(path, plan, sideFiles);
      journal = openJournal(path, options);
      const finished = new Set<number>();
      for (const [i, { file, layout }] of plan.shards.entries())
        if (await journal.isFinished(file, (shard) => fileDigest(shard, layout))) finished.add(i);
      checkSpace(path, plan, finished);
      return new OutputFolder(path, plan, created, journal, finished);
    } catch (error) {
      if (journal?.resumed === false) journal.remove();
      removeFolder(path, created);
      throw error;
    }
  }

  /** Opens the temporary files of the shards that are to be written. @returns where each shard is written */
  begin(): { readonly path: string; readonly name: string }[] {
    const { shards } = this.plan;
    return shards.map(({ file, layout }, i) => {
      const name = join(this.path, file);
      if (this.finished.has(i)) return { path: name, name };
      const output = new AtomicFile(name);
      this.open.set(i, output);
      output.writeAt(layout.header, 0);
      try {
        // Its full size at once: fails early where a limit forbids it, and lets any tile be written first.
        truncateSync(output.temporary, layout.size);
      } catch (error) {
        throw ioError(error, name, "write");
      }
      return { path: output.temporary, name };
    });
  }

  /** Gives a complete shard its name, and notes its hash. */
  async commit(shard: number, hashes: ReadonlyMap<string, string>): Promise<string> {
    const { file, layout } = this.plan.shards[shard]!;
    await this.open.get(shard)!.commit();
    this.open.delete(shard);
    this.written.push(file);
    const digest = shardDigest(layout.header, layout, hashes);
    this.journal.add({ file, size: layout.size, sha256: digest });
    return digest;
  }

  /** Notes a small file that was written beside the weights. */
  note(file: string): void {
    this.written.push(file);
  }

  /** The job is done. */
  finish(): void {
    this.journal.remove();
  }

  /** Removes temporary files; with `all`, everything that this run wrote. Finished shards of an earlier run stay. */
  abandon(all: boolean): void {
    for (const file of this.open.values()) file.abort();
    this.open.clear();
    if (!all) return;
    for (const file of this.written) rmSync(join(this.path, file), { force: true });
    for (const file of this.written) if (file.includes("/")) removeEmpty(dirname(join(this.path, file)));
    if (!this.journal.resumed) this.journal.remove();
    removeFolder(this.path, this.created);
  }
}

/** @throws ConfigError kind `output-is-input` */
function refuseInputs(path: string, { shards }: OutputPlan, inputs: readonly string[]): void {
  const identity = (file: string): string | undefined => {
    const stat = statSync(file, { throwIfNoEntry: false, bigint: true });
    return stat && `${stat.dev}:${stat.ino}`;
  };
  const read = new Map(inputs.flatMap((file) => [file, dirname(file)].map((f) => [identity(f), f] as const)));
  for (const written of [path, ...shards.map(({ file }) => join(path, file))]) {
    const same = read.get(identity(written) ?? "");
    if (same !== undefined)
      throw new ConfigError(`${written}: the output is an input (${same})`, {
        kind: "output-is-input",
        file: written,
        hint: "choose another output folder; inputs are never overwritten",
      });
  }
}

/** @throws ConfigError kind `exists` if something that no unfinished job wrote lies under a name of the output */
function refuseOutput(path: string, { shards, index }: OutputPlan, sideFiles: readonly string[]): void {
  if (existsSync(join(path, JOURNAL))) return;
  const names = [...shards.map((s) => s.file), ...(index ? [index.name] : []), ...sideFiles];
  const present = names.find((name) => existsSync(join(path, name)));
  if (present !== undefined)
    throw new ConfigError(`${join(path, present)}: exists already`, {
      kind: "exists",
      file: join(path, present),
      hint: "choose another output folder, or pass --force to replace it",
    });
}

/** The journal of this job, a new one if there is none. @throws ConfigError kind `other-job` */
function openJournal(path: string, { job, force }: FolderOptions): Journal {
  try {
    return new Journal(path, job);
  } catch (error) {
    if (!(error instanceof ConfigError && error.kind === "other-job")) throw error;
    if (!force)
      throw new ConfigError(error.message, { kind: error.kind, file: path, hint: "choose another folder, or pass --force to begin anew" });
    rmSync(join(path, JOURNAL));
    return new Journal(path, job);
  }
}

/** @throws IoError kind `disk-full` */
function checkSpace(path: string, { shards }: OutputPlan, finished: ReadonlySet<number>): void {
  const { bavail, bsize } = statfsSync(path);
  const needed = shards.reduce((sum, { layout }, i) => sum + (finished.has(i) ? 0 : layout.size), 0);
  if (bavail * bsize < needed)
    throw new IoError(`${path}: the output takes ${formatBytes(needed)}, the disk has ${formatBytes(bavail * bsize)} free`, {
      kind: "disk-full",
      file: path,
      cause: Object.assign(new Error("ENOSPC"), { code: "ENOSPC" }),
      hint: "free space, or choose an output on another disk",
    });
}

/** Removes a folder that was made, and those above it that were made for it, as far as nothing lies in them. */
function removeFolder(folder: string, created: string | undefined): void {
  if (created === undefined) return;
  for (let path = resolve(folder); path.length >= resolve(created).length && removeEmpty(path); path = dirname(path));
}

/** Removes a folder if nothing is in it. */
function removeEmpty(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch {
    // Somebody else's file lies there; it may stay.
    return false;
  }
}

/** @returns the topmost folder that had to be made */
function makeFolder(path: string): string | undefined {
  try {
    return mkdirSync(path, { recursive: true });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "EEXIST" || code === "ENOTDIR")
      throw new ConfigError(`${path}: the output, or a part of its path, is a file`, {
        kind: "not-a-folder",
        file: path,
        hint: "choose another output folder",
      });
    throw ioError(error, path, "write");
  }
}
