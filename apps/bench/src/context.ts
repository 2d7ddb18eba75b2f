import type { Finding } from "./record.js";
import type { Peers } from "./peers/install.js";
import type { Python } from "./peers/python.js";

/** What a suite works with. */
export interface BenchContext {
  /** Root of the repository. */
  readonly root: string;
  /** Folder for large files, kept between runs. */
  readonly folder: string;
  /** What the processor is called. */
  readonly cpu: string;
  readonly rounds: number;
  /** Small sizes and few rounds: to see that everything runs. Its values mean little. */
  readonly quick: boolean;
  /** Find out the best sizes of tiles for this GPU first, and keep them. */
  readonly tune: boolean;
  /** Suites that let cases be chosen run those with this in their name; all if empty. */
  readonly only: string;
  /** Other JavaScript engines, installed on first use; undefined with `--no-peers`. */
  peers(): Promise<Peers | undefined>;
  /** Python with torch, if there is one. */
  python(): Promise<Python | undefined>;
  emit(finding: Finding): void;
  note(text: string): void;
  /** Adds to the versions of the records that follow. */
  version(name: string, version: string): void;
}

export interface Suite {
  readonly name: string;
  readonly summary: string;
  /** Whether sizes of a quick run are such that goals of speed hold for them. */
  readonly judgesQuick?: boolean;
  run(context: BenchContext): Promise<void>;
}
