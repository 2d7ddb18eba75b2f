import { createHash } from "node:crypto";
import { appendFileSync, existsSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { ConfigError } from "@weft/tensor-core";
import { openFileBytes } from "./file-bytes.js";

/** Beside the output while a job is not finished: what it is, and which files are complete. */
export const JOURNAL = ".weft-journal";

interface JournalLine {
  readonly file: string;
  readonly size: number;
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
  private readonly path: string;
  private readonly lines = new Map<string, JournalLine>();

  /**
   * @param job a hash of everything that the output depends on: inputs, options, version
   * @throws ConfigError kind `other-job` if the folder holds the journal of another job
   */
  constructor(folder: string, job: string) {
    this.path = join(folder, JOURNAL);
    const text = existsSync(this.path) ? readFileSync(this.path, "utf8") : "";
    const [first, ...rest] = text.split("\n");
    if (first !== "" && first !== job) {
      throw new ConfigError(`${folder} holds an unfinished job with other inputs or options`, {
        kind: "other-job",
        file: this.path,
        hint: "choose another folder, or pass --force to begin anew",
      });
    }
    if (first === "") appendFileSync(this.path, `${job}\n`);
    for (const line of rest) {
      // The last line may have been cut by a crash; then its file is done again.
      const match = /^([0-9a-f]{64}) (\d+) (.+)$/.exec(line);
      if (match) this.lines.set(match[3]!, { file: match[3]!, size: Number(match[2]), sha256: match[1]! });
    }
  }

  /** The hash of a file that is complete: it is listed, and its bytes still have that hash. */
  async finished(folder: string, file: string): Promise<string | undefined> {
    const line = this.lines.get(file);
    const path = join(folder, file);
    if (!line || !existsSync(path) || statSync(path).size !== line.size) return undefined;
    return (await hashFile(path)) === line.sha256 ? line.sha256 : undefined;
  }

  add(line: JournalLine): void {
    this.lines.set(line.file, line);
    appendFileSync(this.path, `${line.sha256} ${line.size} ${line.file}\n`);
  }

  /** The job is done. */
  remove(): void {
    rmSync(this.path, { force: true });
  }
}
