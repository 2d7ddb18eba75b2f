import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { StepRecord } from "@weft/training";
import { writingLog } from "./writing-log.js";

/** `log.jsonl` of a folder: a record of each step. */
export class TrainingLog {
  readonly file: string;

  /** @param step the one that the training goes on after: records of later ones, which are made again, go */
  constructor(folder: string, step: number) {
    this.file = join(folder, "log.jsonl");
    writingLog(this.file, () => {
      mkdirSync(folder, { recursive: true });
      const lines = existsSync(this.file) && step > 0 ? readFileSync(this.file, "utf8").split("\n") : [];
      const kept = lines.filter((line) => line !== "" && stepOf(line) <= step);
      writeFileSync(this.file, kept.map((line) => `${line}\n`).join(""));
    });
  }

  add(record: StepRecord): void {
    writingLog(this.file, () => appendFileSync(this.file, `${JSON.stringify(record)}\n`));
  }
}

/** The step of a line; the last line of a process that was killed may be cut. */
function stepOf(line: string): number {
  try {
    return (JSON.parse(line) as { readonly step: number }).step;
  } catch {
    return Infinity;
  }
}
