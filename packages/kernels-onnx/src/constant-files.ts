import { join } from "node:path";
import type { ExternalData } from "./model/messages.js";
import { removeFolder, temporaryFolder } from "./runtime/temporary-folder.js";

/** Of the addresses that kernels lay out what they pack by: the runtime's own memory begins at multiples of it. */
const ALIGNMENT = 64;

/** A file with constants. */
interface ConstantFile {
  readonly name: string;
  readonly path: string;
  /** So far. */
  bytes: number;
  /** How many constants that are needed are in it. */
  constants: number;
}

/** A place in a file, in bytes. */
export interface Place {
  readonly file: ConstantFile;
  readonly offset: number;
  readonly length: number;
}

/** What models have as a constant, in a file. */
export interface StoredConstant {
  readonly key: string;
  /** Models that have it. */
  users: number;
  /** Undefined until somebody begins to write it. */
  place?: Place;
  /** What the runtime packed of it: the name that it has for that, and where it is in the same file. */
  packed?: { readonly key: string; readonly places: readonly Place[] };
  /** Done when it is there. */
  written?: Promise<void>;
}

/** What models say of where a constant is. */
export function externalDataOf({ place, packed }: StoredConstant): ExternalData {
  const { file, offset, length } = place!;
  const blobs = packed?.places.map((blob) => `${blob.offset};${blob.length};0`);
  return [
    ["location", file.name],
    ["offset", String(offset)],
    ["length", String(length)],
    ...(packed ? [["prepacked_0", [packed.key, ...blobs!].join("|")] as const] : []),
  ];
}

/** What constants of models hold, as files that onnxruntime maps into memory: models over the same weights map the same ones. */
export class ConstantFiles {
  private readonly constants = new Map<string, StoredConstant>();
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

  /** The constant with such contents, for one user more. */
  take(key: string): StoredConstant {
    let constant = this.constants.get(key);
    if (!constant) this.constants.set(key, (constant = { key, users: 0 }));
    constant.users++;
    return constant;
  }

  /** A file, in which is nothing yet. */
  file(): ConstantFile {
    const name = String(this.count++);
    return { name, path: join(this.folder, name), bytes: 0, constants: 0 };
  }

  /** Room for so many bytes behind what is in a file. */
  place(file: ConstantFile, length: number): Place {
    const offset = Math.ceil(file.bytes / ALIGNMENT) * ALIGNMENT;
    file.bytes = offset + length;
    return { file, offset, length };
  }

  /** One user less; with the last one of all constants in a file it is removed. */
  release(constant: StoredConstant): void {
    if (--constant.users > 0 || !this.made) return;
    this.constants.delete(constant.key);
    const file = constant.place?.file;
    if (file && --file.constants === 0) this.remove(file.path);
  }

  dispose(): void {
    this.constants.clear();
    if (this.made) removeFolder(this.made);
    this.made = undefined;
  }
}
