import { createHash } from "node:crypto";
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmdirSync, rmSync, statfsSync, statSync, truncateSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { ConfigError, IoError } from "@weft/tensor-core";
import { AtomicFile, ioError, openFileBytes, removeStale } from "@weft/io-safetensors/node";
import { formatBytes } from "../output.js";
import { type OutputPlan, shardDigest } from "./layout.js";

/** Lies beside the output until the job is done: what the job is, and which files are complete. */
const JOURNAL = ".weft-journal";

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
  readonly finished: Set<number> = new Set();
  private readonly plan: OutputPlan;
  private readonly options: FolderOptions;
  private readonly created: string | undefined;
  private readonly open = new Map<number, AtomicFile>();
  private readonly written: string[] = [];
  private resumed = false;

  /** @throws ConfigError kinds `exists`, `other-job`, `output-is-input`; IoError kinds `disk-full`, `no-permission` */
  constructor(path: string, plan: OutputPlan, sideFiles: readonly string[], options: FolderOptions) {
    this.path = path;
    this.plan = plan;
    this.options = options;
    this.refuseInputs();
    this.created = makeFolder(path);
    try {
      removeStale(path);
      this.readJournal(sideFiles);
      this.checkSpace();
    } catch (error) {
      this.removeFolder();
      throw error;
    }
  }

  /** Opens the temporary files of the shards that are to be written. @returns where each shard is written */
  begin(): { readonly path: string; readonly name: string }[] {
    const { shards } = this.plan;
    if (!this.resumed) this.append(`${this.options.job}\n`);
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
    const digest = shardDigest(layout, hashes);
    this.append(`${digest} ${layout.size} ${file}\n`);
    return digest;
  }

  /** Notes a small file that was written beside the weights. */
  note(file: string): void {
    this.written.push(file);
  }

  /** The job is done. */
  finish(): void {
    rmSync(join(this.path, JOURNAL), { force: true });
  }

  /** Removes temporary files; with `all`, everything that this run wrote. Finished shards of an earlier run stay. */
  abandon(all: boolean): void {
    for (const file of this.open.values()) file.abort();
    this.open.clear();
    if (!all) return;
    for (const file of this.written) rmSync(join(this.path, file), { force: true });
    for (const file of this.written) if (file.includes("/")) removeEmpty(dirname(join(this.path, file)));
    if (!this.resumed) this.finish();
    this.removeFolder();
  }

  private removeFolder(): void {
    if (this.created === undefined) return;
    for (let path = resolve(this.path); path.length >= resolve(this.created).length && removeEmpty(path); path = dirname(path));
  }

  private append(line: string): void {
    try {
      appendFileSync(join(this.path, JOURNAL), line);
    } catch (error) {
      throw ioError(error, join(this.path, JOURNAL), "write");
    }
  }

  private refuseInputs(): void {
    const identity = (path: string): string | undefined => {
      const stat = statSync(path, { throwIfNoEntry: false, bigint: true });
      return stat && `${stat.dev}:${stat.ino}`;
    };
    const inputs = new Map(this.options.inputs.flatMap((path) => [path, dirname(path)].map((p) => [identity(p), p] as const)));
    for (const path of [this.path, ...this.plan.shards.map(({ file }) => join(this.path, file))]) {
      const same = inputs.get(identity(path) ?? "");
      if (same !== undefined)
        throw new ConfigError(`${path}: the output is an input (${same})`, {
          kind: "output-is-input",
          file: path,
          hint: "choose another output folder; inputs are never overwritten",
        });
    }
  }

  private readJournal(sideFiles: readonly string[]): void {
    const file = join(this.path, JOURNAL);
    const text = existsSync(file) ? readFileSync(file, "utf8") : "";
    const [first = "", ...lines] = text.split("\n");
    const names = this.plan.shards.map((s) => s.file);
    if (first === this.options.job) {
      this.resumed = true;
      for (const line of lines) {
        // The last line may have been cut; then its file is done again.
        const match = /^([0-9a-f]{64}) (\d+) (.+)$/.exec(line);
        const shard = match ? names.indexOf(match[3]!) : -1;
        if (shard >= 0 && this.isComplete(shard, match![1]!)) this.finished.add(shard);
      }
      return;
    }
    if (this.options.force) {
      rmSync(file, { force: true });
      return;
    }
    if (text !== "")
      throw new ConfigError(`${this.path}: an unfinished job with other inputs or options lies here`, {
        kind: "other-job",
        file: this.path,
        hint: "choose another folder, or pass --force to begin anew",
      });
    const present = [...names, ...(this.plan.index ? [this.plan.index.name] : []), ...sideFiles].find((name) =>
      existsSync(join(this.path, name)),
    );
    if (present !== undefined)
      throw new ConfigError(`${join(this.path, present)}: exists already`, {
        kind: "exists",
        file: join(this.path, present),
        hint: "choose another output folder, or pass --force to replace it",
      });
  }

  /** A finished shard still has the header and the tensors that its journal line tells of. */
  private isComplete(shard: number, digest: string): boolean {
    const { file, layout } = this.plan.shards[shard]!;
    const path = join(this.path, file);
    if (statSync(path, { throwIfNoEntry: false })?.size !== layout.size) return false;
    const bytes = openFileBytes(path);
    const buffer = new Uint8Array(4 << 20);
    const hashes = new Map<string, string>();
    for (const tensor of layout.tensors) {
      const hash = createHash("sha256");
      for (let at = 0; at < tensor.bytes; at += buffer.byteLength) {
        const piece = buffer.subarray(0, Math.min(buffer.byteLength, tensor.bytes - at));
        bytes.readInto(piece, tensor.offset + at);
        hash.update(piece);
      }
      hashes.set(tensor.name, hash.digest("hex"));
    }
    void bytes.close();
    return shardDigest(layout, hashes) === digest;
  }

  private checkSpace(): void {
    const { bavail, bsize } = statfsSync(this.path);
    const needed = this.plan.shards.reduce((sum, { layout }, i) => sum + (this.finished.has(i) ? 0 : layout.size), 0);
    if (bavail * bsize < needed)
      throw new IoError(`${this.path}: the output takes ${formatBytes(needed)}, the disk has ${formatBytes(bavail * bsize)} free`, {
        kind: "disk-full",
        file: this.path,
        cause: Object.assign(new Error("ENOSPC"), { code: "ENOSPC" }),
        hint: "free space, or choose an output on another disk",
      });
  }
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
