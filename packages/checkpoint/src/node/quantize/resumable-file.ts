import { rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { AtomicFile, hashFile, type Journal, removeStale } from "@weft/io-safetensors/node";
import { CancelledError } from "@weft/tensor-core";
import type { LaidOutFile } from "../../plan/layout.js";
import { checkSpace } from "../check-space.js";
import { makeFolder, removeEmpty, removeFolder } from "../make-folder.js";
import { openJournal } from "../open-journal.js";

/** Beside an output that is one file while it is not complete: what there is of it, and the journal of its tensors. */
const besides = (out: string): string => join(dirname(out), `.${basename(out)}.weft-job`);

/** One large file that appears when it is complete, and of which each tensor that is done stays done, whatever stops the job. */
export class ResumableFile {
  /** Tensors that an earlier run of the same job has written, by name. */
  readonly finished: ReadonlySet<string>;

  private constructor(
    private readonly file: AtomicFile,
    private readonly journal: Journal,
    /** Bytes of the tensors, by name. */
    private readonly sizes: ReadonlyMap<string, number>,
    finished: ReadonlySet<string>,
  ) {
    this.finished = finished;
  }

  /** Where tensors are written, at the places of the layout. */
  get path(): string {
    return this.file.temporary;
  }

  /** Notes tensors that are written. @param hashes SHA-256 of their bytes, by name */
  note(hashes: Iterable<readonly [name: string, sha256: string]>): void {
    for (const [file, sha256] of hashes) this.journal.add({ file, size: this.sizes.get(file)!, sha256 });
  }

  /**
   * Writes such a file. Stopped on request or killed, the same job goes on with what was done, of which the hashes are looked at again; any other failure leaves nothing of this run.
   * @param job hash of everything that the output depends on
   * @param fill writes tensors that are not `finished`
   * @throws ConfigError kind `other-job`; IoError kinds `disk-full`, `io`; CancelledError; what `fill` throws
   */
  static async fill<T>(
    out: string,
    layout: LaidOutFile,
    { job, force, signal }: { readonly job: string; readonly force: boolean; readonly signal: AbortSignal | undefined },
    fill: (file: ResumableFile) => Promise<T>,
  ): Promise<{ readonly filled: T; readonly resumed: number }> {
    const folder = besides(out);
    const created = makeFolder(folder);
    let [file, journal]: [AtomicFile?, Journal?] = [];
    try {
      journal = openJournal(folder, { job, force });
      if (!journal.resumed) removeStale(folder);
      file = new AtomicFile(out, layout.size, { aside: folder, takeOver: journal.resumed });
      checkSpace(folder, layout.size - statSync(file.temporary).blocks * 512);
      file.writeAt(layout.header, 0);
      const whole = new ResumableFile(
        file,
        journal,
        new Map(layout.tensors.map(({ name, bytes }) => [name, bytes])),
        await finishedOf(file.temporary, layout, journal),
      );
      const filled = await fill(whole);
      if (signal?.aborted) throw new CancelledError("stopped");
      await file.commit();
      rmSync(folder, { recursive: true });
      return { filled, resumed: whole.finished.size };
    } catch (error) {
      const stopped = error instanceof CancelledError;
      if (stopped || journal?.resumed) file?.leave();
      else {
        file?.abort();
        journal?.remove();
      }
      removeEmpty(folder);
      removeFolder(dirname(folder), created);
      throw stopped ? new CancelledError("stopped", { hint: "the same command goes on from the tensors that are finished" }) : error;
    }
  }
}

/** Tensors that are noted, and whose bytes are still those that were. */
async function finishedOf(path: string, { tensors }: LaidOutFile, journal: Journal): Promise<ReadonlySet<string>> {
  const finished = new Set<string>();
  for (const { name, offset, bytes } of tensors) {
    const line = journal.line(name);
    if (line?.size === bytes && (await hashFile(path, offset, bytes)) === line.sha256) finished.add(name);
  }
  return finished;
}
