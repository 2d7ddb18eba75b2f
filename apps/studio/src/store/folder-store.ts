import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { removeStale, syncFolder, temporaryPath, writeFileAtomic } from "@weft/io-safetensors/node";
import * as v from "valibot";
import type { Step } from "../protocol/events.js";
import { parseStep, type RunStore, STORED_RUN, type StoredRun } from "./run-store.js";

const CHECKPOINT = /^checkpoint-(\d+)$/;
const DONE = "done.json";
/** What a disk says that has no room, or grants no more. */
const FULL = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** What stores say of a full disk, as browsers do. */
function asFull(error: unknown): unknown {
  const causes = [error, (error as { cause?: unknown }).cause] as readonly ({ readonly code?: string } | undefined)[];
  return causes.some((one) => FULL.has(one?.code ?? "")) ? new DOMException((error as Error).message, "QuotaExceededError") : error;
}

const read = (path: string): string => (existsSync(path) ? readFileSync(path, "utf8") : "");

/** Removes the part of a line that a process which was killed has left at the end of a file. */
function cutHalfLine(path: string): void {
  const text = read(path);
  if (text !== "" && !text.endsWith("\n")) truncateSync(path, Buffer.byteLength(text.slice(0, text.lastIndexOf("\n") + 1)));
}

/** Runs in a folder, one folder each: `run.json`, `metrics.jsonl`, and checkpoints as `weft train` and HF's Trainer lay them out. */
export class FolderRunStore implements RunStore {
  /** Runs whose steps this process has written. */
  private readonly continued = new Set<string>();

  /** @param home is made when the first run is written */
  constructor(private readonly home: string) {}

  async list(): Promise<StoredRun[]> {
    if (!existsSync(this.home)) return [];
    const runs = readdirSync(this.home, { withFileTypes: true }).flatMap((entry) => {
      if (!entry.isDirectory()) return [];
      const folder = join(this.home, entry.name);
      const text = read(join(folder, "run.json"));
      if (text === "") return [];
      removeStale(folder);
      const stored = v.safeParse(STORED_RUN, JSON.parse(text));
      return stored.success ? [stored.output] : [];
    });
    return runs.toSorted((a, b) => a.createdAt - b.createdAt);
  }

  async write(run: StoredRun): Promise<void> {
    mkdirSync(this.folder(run.id), { recursive: true });
    await writeFileAtomic(join(this.folder(run.id), "run.json"), JSON.stringify(run, null, 2)).catch((error: unknown) => {
      throw asFull(error);
    });
  }

  async append(id: string, steps: readonly Step[]): Promise<void> {
    mkdirSync(this.folder(id), { recursive: true });
    const path = join(this.folder(id), "metrics.jsonl");
    if (!this.continued.has(id)) cutHalfLine(path);
    this.continued.add(id);
    try {
      appendFileSync(path, steps.map((step) => `${JSON.stringify(step)}\n`).join(""));
    } catch (error) {
      throw asFull(error);
    }
  }

  async steps(id: string): Promise<Step[]> {
    return read(join(this.folder(id), "metrics.jsonl"))
      .split("\n")
      .flatMap((line) => parseStep(line) ?? []);
  }

  async saveCheckpoint(id: string, step: number, files: ReadonlyMap<string, Blob>): Promise<number> {
    const home = this.folder(id);
    mkdirSync(home, { recursive: true });
    const path = join(home, `checkpoint-${step}`);
    const aside = temporaryPath(path);
    try {
      mkdirSync(aside);
      for (const [name, content] of [...files].toSorted(([a], [b]) => Number(a === DONE) - Number(b === DONE)))
        await writeFileAtomic(join(aside, name), new Uint8Array(await content.arrayBuffer()));
      syncFolder(aside);
      rmSync(path, { recursive: true, force: true });
      renameSync(aside, path);
      syncFolder(home);
    } catch (error) {
      rmSync(aside, { recursive: true, force: true });
      throw asFull(error);
    }
    return [...files.values()].reduce((sum, { size }) => sum + size, 0);
  }

  async checkpoints(id: string): Promise<number[]> {
    if (!existsSync(this.folder(id))) return [];
    return readdirSync(this.folder(id))
      .flatMap((name) => CHECKPOINT.exec(name)?.[1] ?? [])
      .map(Number)
      .filter((step) => existsSync(join(this.folder(id), `checkpoint-${step}`, DONE)))
      .toSorted((a, b) => a - b);
  }

  async readCheckpoint(id: string, step: number): Promise<Map<string, Blob>> {
    const folder = join(this.folder(id), `checkpoint-${step}`);
    const files = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
    return new Map(files.map(({ name }) => [name, new Blob([readFileSync(join(folder, name))])]));
  }

  async removeCheckpoint(id: string, step: number): Promise<void> {
    rmSync(join(this.folder(id), `checkpoint-${step}`), { recursive: true, force: true });
  }

  private folder(id: string): string {
    return join(this.home, id);
  }
}
