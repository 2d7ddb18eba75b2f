import { createHash } from "node:crypto";
import { appendFileSync, existsSync, readFileSync, rmSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { ConfigError } from "@weft/tensor-core";
import { ioError, openFileBytes } from "./file-bytes.js";

/** Beside the output while a job is not finished: what it is, and which files are complete. */
export const JOURNAL = ".weft-journal";

/** What of a job is complete. */
export interface JournalLine {
  /** A file, or what else is done piece by piece: a tensor of one. */
  readonly file: string;
  readonly size: number;
  /** Of all its bytes, or what else the job identifies its files by. */
  readonly sha256: string;
}

/** SHA-256 of a file, or of a range of it, read in pieces. */
export async function hashFile(path: string, offset = 0, length?: number): Promise<string> {
  const bytes = openFileBytes(path);
  try {
    const hash = createHash("sha256");
    const end = offset + (length ?? bytes.size - offset);
    const buffer = new Uint8Array(Math.min(4 << 20, end - offset));
    for (let at = offset; at < end; at += buffer.byteLength) {
      const piece = buffer.subarray(0, Math.min(buffer.byteLength, end - at));
      bytes.readInto(piece, at);
      hash.update(piece);
    }
    return hash.digest("hex");
  } finally {
    await bytes.close();
  }
}

/** The finished files of a job that writes several, so that the same job goes on where it was stopped. */
export class Journal {
  private readonly folder: string;
  private readonly path: string;
  private readonly lines = new Map<string, JournalLine>();
  /** The same job was begun here before. */
  readonly resumed: boolean;

  /**
   * @param job a hash of everything that the output depends on: inputs, options, version
   * @throws ConfigError kind `other-job` if the folder holds the journal of another job; IoError
   */
  constructor(folder: string, job: string) {
    this.folder = folder;
    this.path = join(folder, JOURNAL);
    const [first, ...rest] = this.readLines();
    if (first !== undefined && first !== job) {
      throw new ConfigError(`${folder} holds an unfinished job with other inputs or options`, {
        kind: "other-job",
        file: this.path,
        hint: `choose another folder, or remove ${this.path} to begin anew`,
      });
    }
    this.resumed = first !== undefined;
    if (!this.resumed) this.begin(job);
    for (const line of rest) {
      const match = /^([0-9a-f]{64}) (\d+) (.+)$/.exec(line);
      if (match) this.lines.set(match[3]!, { file: match[3]!, size: Number(match[2]), sha256: match[1]! });
    }
  }

  /**
   * Whether a file is complete: it is listed, and its bytes still have that hash.
   * @param hash what `sha256` was made with
   */
  async isFinished(file: string, hash: (path: string) => Promise<string> = hashFile): Promise<boolean> {
    const line = this.lines.get(file);
    const path = join(this.folder, file);
    if (!line || !existsSync(path) || statSync(path).size !== line.size) return false;
    return (await hash(path)) === line.sha256;
  }

  /** What was noted under a name. */
  line(file: string): JournalLine | undefined {
    return this.lines.get(file);
  }

  add(line: JournalLine): void {
    this.append(`${line.sha256} ${line.size} ${line.file}`);
    this.lines.set(line.file, line);
  }

  /** The job is done. */
  remove(): void {
    rmSync(this.path, { force: true });
  }

  private begin(job: string): void {
    try {
      this.append(job);
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  /** Whole lines; a last one that a crash has cut is taken off, or the next would be written into it. */
  private readLines(): string[] {
    try {
      if (!existsSync(this.path)) return [];
      const bytes = readFileSync(this.path);
      const end = bytes.lastIndexOf("\n") + 1;
      if (end < bytes.byteLength) truncateSync(this.path, end);
      return end === 0 ? [] : bytes.toString("utf8", 0, end - 1).split("\n");
    } catch (error) {
      throw ioError(error, this.path, "read");
    }
  }

  private append(line: string): void {
    try {
      // On the disk at once: after a loss of power a finished file without its line would be taken for somebody else's.
      appendFileSync(this.path, `${line}\n`, { flush: true });
    } catch (error) {
      throw ioError(error, this.path, "write");
    }
  }
}
