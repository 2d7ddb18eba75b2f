import { dirname } from "node:path";
import { AtomicFile } from "@weft/io-safetensors/node";
import { CancelledError } from "@weft/tensor-core";
import type { LaidOutFile } from "../../plan/layout.js";
import { makeFolder, removeFolder } from "../make-folder.js";

/**
 * Writes one file, which appears when it is complete; a failure leaves nothing.
 * @param fill writes what is behind the header into the file that it is told, and may look at it
 */
export async function fillFile<T>(
  out: string,
  { header, size }: Pick<LaidOutFile, "header" | "size">,
  signal: AbortSignal | undefined,
  fill: (temporary: string) => Promise<T>,
): Promise<T> {
  const created = makeFolder(dirname(out));
  let whole: AtomicFile | undefined;
  try {
    whole = new AtomicFile(out, size);
    whole.writeAt(header, 0);
    const filled = await fill(whole.temporary);
    if (signal?.aborted) throw new CancelledError("stopped");
    await whole.commit();
    return filled;
  } catch (error) {
    whole?.abort();
    removeFolder(dirname(out), created);
    throw error;
  }
}
