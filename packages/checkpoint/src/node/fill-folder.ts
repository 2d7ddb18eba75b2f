import { join } from "node:path";
import { CancelledError } from "@weft/tensor-core";
import { writeFileAtomic } from "@weft/io-safetensors/node";
import type { OutputFiles } from "../plan/layout.js";
import { type FolderOptions, OutputFolder } from "./output-folder.js";
import { type SideFile, writeSideFiles } from "./side-files.js";

/**
 * Writes a checkpoint into a folder: the files beside the weights, those that `fill` computes, the index last. What was finished by an earlier run of the same
 * job stays; what fails leaves nothing.
 * @throws as `OutputFolder.open`, and what `fill` throws
 */
export async function fillFolder<T>(
  out: string,
  files: OutputFiles,
  side: readonly SideFile[],
  options: FolderOptions & {
    readonly signal: AbortSignal | undefined;
    /** Files that `fill` writes beside them. */
    readonly more?: readonly string[];
  },
  fill: (folder: OutputFolder, outputs: ReturnType<OutputFolder["begin"]>) => Promise<T>,
): Promise<{ readonly filled: T; readonly resumed: number }> {
  const folder = await OutputFolder.open(out, files, [...side.map(({ name }) => name), ...(options.more ?? [])], options);
  const resumed = folder.finished.size;
  try {
    const outputs = folder.begin();
    for (const { name } of side) folder.note(name);
    for (const name of options.more ?? []) folder.note(name);
    await writeSideFiles(side, folder.path);
    const filled = await fill(folder, outputs);
    if (files.index) {
      folder.note(files.index.name);
      await writeFileAtomic(join(folder.path, files.index.name), files.index.text);
    }
    if (options.signal?.aborted) throw new CancelledError("stopped");
    folder.finish();
    return { filled, resumed };
  } catch (error) {
    // Stopped on request: finished files stay, so that the same command goes on from there.
    folder.abandon(!(error instanceof CancelledError));
    throw error instanceof CancelledError
      ? new CancelledError("stopped", { hint: "the same command goes on from the files that are finished" })
      : folder.named(error);
  }
}
