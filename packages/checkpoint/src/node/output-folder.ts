import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { AtomicFile, type Journal, JOURNAL, removeStale } from "@weft/io-safetensors/node";
import { existsError, inputError } from "./check-output.js";
import { checkSpace } from "./check-space.js";
import { makeFolder, removeEmpty, removeFolder } from "./make-folder.js";
import { openJournal } from "./open-journal.js";
import { StagedFiles } from "./staged-files.js";
import type { OutputFiles } from "../plan/layout.js";
import { fileDigest, shardDigest } from "./shard-digest.js";

export interface FolderOptions {
  readonly force: boolean;
  /** Hash of everything that the output depends on. */
  readonly job: string;
  /** Files that are read; none of them may be written. */
  readonly inputs: readonly string[];
}

/** Where a checkpoint that replaces another is written. */
const STAGING = ".weft-new";

/**
 * The folder that a job writes: nothing under a final name is ever incomplete, and the same job goes on where it was stopped. What is to be replaced stays
 * as it is until all of the new is there.
 */
export class OutputFolder {
  /** Where the job writes. */
  readonly path: string;
  /** Shards that are complete already, by index. */
  readonly finished: ReadonlySet<number>;
  private readonly plan: OutputFiles;
  private readonly names: readonly string[];
  private readonly created: string | undefined;
  private readonly staged: StagedFiles | undefined;
  private readonly journal: Journal;
  private readonly open = new Map<number, AtomicFile>();
  private readonly written: string[] = [];

  private constructor(
    path: string,
    plan: OutputFiles,
    names: readonly string[],
    created: string | undefined,
    staged: StagedFiles | undefined,
    journal: Journal,
    finished: ReadonlySet<number>,
  ) {
    this.path = path;
    this.plan = plan;
    this.names = names;
    this.created = created;
    this.staged = staged;
    this.journal = journal;
    this.finished = finished;
  }

  /** @throws ConfigError kinds `exists`, `other-job`, `output-is-input`; IoError kinds `disk-full`, `no-permission` */
  static async open(out: string, plan: OutputFiles, sideFiles: readonly string[], options: FolderOptions): Promise<OutputFolder> {
    refuseInputs(out, plan, options.inputs);
    const created = makeFolder(out);
    let staged: StagedFiles | undefined;
    let journal: Journal | undefined;
    try {
      removeStale(out);
      // The index comes last: it makes the shards a checkpoint.
      const names = [...plan.shards.map(({ file }) => file), ...sideFiles, ...(plan.index ? [plan.index.name] : [])];
      const [old] = existsSync(join(out, JOURNAL)) ? [] : replaced(out, plan, names);
      if (old !== undefined && !options.force) throw existsError(join(out, old));
      if (old !== undefined) staged = new StagedFiles(out, STAGING);
      const path = staged?.path ?? out;
      journal = openJournal(path, options);
      const finished = new Set<number>();
      for (const [i, { file, layout }] of plan.shards.entries())
        if (await journal.isFinished(file, (shard) => fileDigest(shard, layout))) finished.add(i);
      checkSpace(
        path,
        plan.shards.reduce((sum, { layout }, i) => sum + (finished.has(i) ? 0 : layout.size), 0),
      );
      return new OutputFolder(path, plan, names, created, staged, journal, finished);
    } catch (error) {
      if (journal?.resumed === false) journal.remove();
      if (!journal?.resumed) staged?.discard();
      removeFolder(out, created);
      throw error;
    }
  }

  /** Opens the temporary files of the shards that are to be written. @returns where each shard is written */
  begin(): { readonly path: string; readonly name: string }[] {
    const { shards } = this.plan;
    return shards.map(({ file, layout }, i) => {
      const name = join(this.path, file);
      if (this.finished.has(i)) return { path: name, name };
      // Its full size at once: fails early where a limit forbids it, and lets any tile be written first.
      const output = new AtomicFile(name, layout.size);
      this.open.set(i, output);
      output.writeAt(layout.header, 0);
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

  /** The job is done: what was to be replaced is. */
  finish(): void {
    if (this.staged) {
      const old = replaced(this.staged.folder, this.plan, this.names).filter((name) => !this.names.includes(name));
      this.staged.publish(this.names);
      for (const name of old) rmSync(join(this.staged.folder, name), { force: true });
    }
    this.journal.remove();
  }

  /** An error as it would be if what replaces another checkpoint had been written under its names. */
  named(error: unknown): unknown {
    return this.staged?.named(error) ?? error;
  }

  /** Removes temporary files; with `all`, everything that this run wrote. Finished shards of an earlier run stay. */
  abandon(all: boolean): void {
    for (const file of this.open.values()) file.abort();
    this.open.clear();
    if (!all) return;
    if (this.staged) return this.staged.discard();
    for (const file of this.written) rmSync(join(this.path, file), { force: true });
    for (const file of this.written) if (file.includes("/")) removeEmpty(dirname(join(this.path, file)));
    if (!this.journal.resumed) this.journal.remove();
    removeFolder(this.path, this.created);
  }
}

/**
 * Refuses a folder that holds another checkpoint than a merge would write, before any work is done for it. What may be that merge already is found out later.
 * @param files names of the base's files, which are those of the output; undefined where the output is cut anew
 * @throws ConfigError kind `exists`
 */
export function refuseAnother(out: string, files: ReadonlySet<string> | undefined): void {
  if (!statSync(out, { throwIfNoEntry: false })?.isDirectory() || existsSync(join(out, JOURNAL))) return;
  const held = readdirSync(out).filter((name) => stemOf(name) !== undefined);
  const other = files && held.find((name) => name.endsWith(".safetensors") && !files.has(name));
  const missing = files && [...files].some((name) => !held.includes(name));
  if (held.length > 0 && (other !== undefined || missing)) throw existsError(join(out, other ?? held[0]!));
}

/** What a file is, whatever it is called. */
function identity(file: string): string | undefined {
  const stat = statSync(file, { throwIfNoEntry: false, bigint: true });
  return stat && `${stat.dev}:${stat.ino}`;
}

/** @throws ConfigError kind `output-is-input` */
function refuseInputs(path: string, { shards }: OutputFiles, inputs: readonly string[]): void {
  const read = new Map(inputs.flatMap((file) => [file, dirname(file)].map((f) => [identity(f), f] as const)));
  for (const written of [path, ...shards.map(({ file }) => join(path, file))]) {
    const same = read.get(identity(written) ?? "");
    if (same !== undefined) throw inputError(written, same);
  }
}

/** What of a checkpoint in the folder the output would replace: files of its names, and the other shards and the index of a checkpoint of its name. */
function replaced(path: string, { shards }: OutputFiles, names: readonly string[]): string[] {
  const stems = new Set(shards.map(({ file }) => stemOf(file)));
  const others = readdirSync(path).filter((name) => !names.includes(name) && stems.has(stemOf(name)));
  return [...names.filter((name) => existsSync(join(path, name))), ...others];
}

/** `model` of `model.safetensors`, of `model-00001-of-00002.safetensors` and of their index. */
const stemOf = (file: string): string | undefined => /^(.+?)(?:-\d+-of-\d+)?\.safetensors(?:\.index\.json)?$/.exec(file)?.[1];
