import { join } from "node:path";
import type { ExternalData } from "./model/messages.js";
import { removeFolder, temporaryFolder } from "./runtime/temporary-folder.js";

/** A file with the contents of a constant. */
export interface ConstantFile {
  readonly key: string;
  readonly name: string;
  /** What is in it, as models say it. */
  data: ExternalData;
  /** Models that have it. */
  users: number;
  /** Done when it is written; undefined if nobody has begun. */
  written?: Promise<void>;
}

/** What constants of models hold, as files that onnxruntime maps into memory: models over the same weights map the same ones. */
export class ConstantFiles {
  private readonly files = new Map<string, ConstantFile>();
  private made: string | undefined;
  private count = 0;
  private readonly remove: (path: string) => void;

  /** @param remove removes a file when what was asked for before is done: Windows removes none that is mapped */
  constructor(remove: (path: string) => void) {
    this.remove = remove;
  }

  get folder(): string {
    return (this.made ??= temporaryFolder());
  }

  /** Where a file is. */
  pathOf({ name }: ConstantFile): string {
    return join(this.folder, name);
  }

  /** The file with such contents, for one user more. */
  take(key: string): ConstantFile {
    let file = this.files.get(key);
    if (!file) {
      const name = String(this.count++);
      this.files.set(key, (file = { key, name, data: [["location", name]], users: 0 }));
    }
    file.users++;
    return file;
  }

  /** One user less; the last one removes it. */
  release(file: ConstantFile): void {
    if (--file.users > 0 || !this.made) return;
    this.files.delete(file.key);
    this.remove(this.pathOf(file));
  }

  dispose(): void {
    this.files.clear();
    if (this.made) removeFolder(this.made);
    this.made = undefined;
  }
}
