import * as v from "valibot";
import type { Step } from "../protocol/events.js";
import { parseStep, type RunStore, STORED_RUN, type StoredRun } from "./run-store.js";

/** What workers have, and TypeScript's types of pages have not. */
interface SyncHandle {
  getSize(): number;
  truncate(size: number): void;
  write(bytes: Uint8Array, options: { readonly at: number }): number;
  flush(): void;
  close(): void;
}
type FileHandle = FileSystemFileHandle & { createSyncAccessHandle(): Promise<SyncHandle>; move(name: string): Promise<void> };
type Folder = FileSystemDirectoryHandle & { entries(): AsyncIterable<[string, FileSystemHandle]> };

const DONE = "done.json";
const CHECKPOINT = /^checkpoint-(\d+)$/;

/** A folder of the page's own file system, by its path; it is made if `create`. @throws NotFoundError */
async function folderAt(path: readonly string[], create: boolean): Promise<Folder> {
  let folder = await navigator.storage.getDirectory();
  for (const name of path) folder = await folder.getDirectoryHandle(name, { create });
  return folder as Folder;
}

const isNotFound = (error: unknown): boolean => error instanceof DOMException && error.name === "NotFoundError";

/** Writes a file of which it is known that nobody reads it yet, through to the disk. @throws QuotaExceededError */
async function writeFile(folder: Folder, name: string, content: Blob, at: "start" | "end" = "start"): Promise<void> {
  const handle = await ((await folder.getFileHandle(name, { create: true })) as FileHandle).createSyncAccessHandle();
  try {
    const bytes = new Uint8Array(await content.arrayBuffer());
    const from = at === "end" ? handle.getSize() : 0;
    if (at === "start") handle.truncate(0);
    const written = handle.write(bytes, { at: from });
    if (written < bytes.length) throw new DOMException(`${name}: ${written} of ${bytes.length} bytes fit`, "QuotaExceededError");
    handle.flush();
  } finally {
    handle.close();
  }
}

/** Writes a file aside and puts it in its place: it is the old one or the new one, whenever the tab ends. */
async function replaceFile(folder: Folder, name: string, content: Blob): Promise<void> {
  const aside = `${name}.new`;
  await writeFile(folder, aside, content);
  await ((await folder.getFileHandle(aside)) as FileHandle).move(name);
}

/** The text of a file, undefined if it is not there. */
async function textOf(folder: Folder, name: string): Promise<string | undefined> {
  try {
    return await (await (await folder.getFileHandle(name)).getFile()).text();
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Runs in the page's own file system (OPFS), in `weft/runs`. For workers: they alone may write at once. */
export class OpfsRunStore implements RunStore {
  private readonly home = ["weft", "runs"];

  async list(): Promise<StoredRun[]> {
    const runs: StoredRun[] = [];
    for await (const [id] of (await folderAt(this.home, true)).entries()) {
      const folder = await this.folder(id);
      const text = await textOf(folder, "run.json");
      const read = text === undefined ? undefined : v.safeParse(STORED_RUN, JSON.parse(text));
      if (!read?.success) continue;
      await sweep(folder);
      runs.push(read.output);
    }
    return runs.toSorted((a, b) => a.createdAt - b.createdAt);
  }

  async write(run: StoredRun): Promise<void> {
    await replaceFile(await this.folder(run.id), "run.json", new Blob([JSON.stringify(run, null, 2)]));
  }

  async append(id: string, steps: readonly Step[]): Promise<void> {
    const lines = steps.map((step) => `${JSON.stringify(step)}\n`);
    await writeFile(await this.folder(id), "metrics.jsonl", new Blob(lines), "end");
  }

  async steps(id: string): Promise<Step[]> {
    const text = await textOf(await this.folder(id), "metrics.jsonl");
    return (text ?? "").split("\n").flatMap((line) => parseStep(line) ?? []);
  }

  async saveCheckpoint(id: string, step: number, files: ReadonlyMap<string, Blob>): Promise<number> {
    const name = `checkpoint-${step}`;
    const home = await this.folder(id);
    await remove(home, name);
    try {
      const folder = await folderAt([...this.home, id, name], true);
      for (const [file, content] of files) if (file !== DONE) await writeFile(folder, file, content);
      await replaceFile(folder, DONE, files.get(DONE)!);
    } catch (error) {
      await remove(home, name);
      throw error;
    }
    return [...files.values()].reduce((sum, { size }) => sum + size, 0);
  }

  async checkpoints(id: string): Promise<number[]> {
    const steps: number[] = [];
    for await (const [name] of (await this.folder(id)).entries()) {
      const step = CHECKPOINT.exec(name)?.[1];
      if (step !== undefined) steps.push(Number(step));
    }
    return steps.toSorted((a, b) => a - b);
  }

  async readCheckpoint(id: string, step: number): Promise<Map<string, Blob>> {
    const files = new Map<string, Blob>();
    for await (const [name, handle] of (await folderAt([...this.home, id, `checkpoint-${step}`], false)).entries())
      if (handle.kind === "file") files.set(name, await (handle as FileSystemFileHandle).getFile());
    return files;
  }

  async removeCheckpoint(id: string, step: number): Promise<void> {
    await remove(await this.folder(id), `checkpoint-${step}`);
  }

  private folder(id: string): Promise<Folder> {
    return folderAt([...this.home, id], true);
  }
}

async function remove(folder: Folder, name: string): Promise<void> {
  await folder.removeEntry(name, { recursive: true }).catch((error: unknown) => {
    if (!isNotFound(error)) throw error;
  });
}

/** Removes checkpoints without `done.json`: a tab ended while it wrote them. */
async function sweep(run: Folder): Promise<void> {
  const names: string[] = [];
  for await (const [name] of run.entries()) if (CHECKPOINT.test(name)) names.push(name);
  for (const name of names) {
    const folder = (await run.getDirectoryHandle(name)) as Folder;
    if ((await textOf(folder, DONE)) === undefined) await remove(run, name);
  }
}
