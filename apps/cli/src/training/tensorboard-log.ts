import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeTensorBoardEvent, type StepRecord, tensorBoardEvent, tensorBoardStart } from "@weft/training";
import { writingLog } from "./writing-log.js";

const now = (): number => Date.now() / 1000;

/** An event file of TensorBoard in a folder: what each step has is there as soon as it is made. */
export class TensorBoardLog {
  private readonly file: string;

  /** @param step the one that the training goes on after */
  constructor(folder: string, step: number) {
    this.file = join(folder, `events.out.tfevents.${Math.floor(now())}.${process.pid}.weft`);
    writingLog(this.file, () => {
      mkdirSync(folder, { recursive: true });
      writeFileSync(this.file, tensorBoardStart(step + 1, now()));
    });
  }

  add(record: StepRecord): void {
    writingLog(this.file, () => appendFileSync(this.file, encodeTensorBoardEvent(tensorBoardEvent(record, now()))));
  }
}
