import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Chapters of the novels: what is trained on, and the last two of each, which are not. */
export interface Corpus {
  readonly training: readonly string[];
  readonly validation: readonly string[];
}

const HELD_OUT = 2;

/** Reads all novels of a folder, in the order of their names. */
export function readCorpus(folder: string): Corpus {
  const novels = readdirSync(folder)
    .toSorted()
    .map((name) => readFileSync(join(folder, name), "utf8").trimEnd().split("\n***\n"));
  return {
    training: novels.flatMap((chapters) => chapters.slice(0, -HELD_OUT)),
    validation: novels.flatMap((chapters) => chapters.slice(-HELD_OUT)),
  };
}
