import { openWeights } from "@weft/io-safetensors/node";
import { enableRelaxedSimd } from "@weft/kernels-wasm/node";
import { createWasmBackend } from "@weft/kernels-wasm";
import { type Command, EXIT } from "../context.js";
import { FileSet } from "../files/file-set.js";
import { prepareMerge } from "../merge/prepare.js";
import { TileRunner } from "../merge/tile-runner.js";
import { listWork } from "../merge/work.js";
import { printable } from "../output.js";
import { Progress } from "../progress.js";
import { type MergeFlags, mergeOptions } from "./merge.js";

/** Merges again, tile by tile in memory, and compares with a merged checkpoint bit for bit. Exit code 4 if anything differs. */
export const verify: Command<MergeFlags & { readonly base: string }> = async ([merged], flags, context) => {
  const { out } = context;
  const options = mergeOptions(flags.base, { ...flags, allowNonfinite: true }, 1, false);
  const prepared = await prepareMerge(options);
  const written = await openWeights(merged!);
  const files = new FileSet();
  enableRelaxedSimd();
  const backend = await createWasmBackend({ threads: 1 });
  try {
    const runner = new TileRunner(backend, prepared, options);
    const work = listWork(prepared, options);
    const progress = new Progress(out, "verify", work.reduce((sum, w) => sum + w.to - w.from, 0));
    const different = new Map<string, string>();
    const known = new Set<string>();
    let done = 0;
    for (const { tensor, rows, from, to } of work) {
      context.signal.throwIfAborted();
      const { job, name } = tensor;
      known.add(name);
      progress.update((done += to - from), name);
      if (different.has(name)) continue;
      const found = written.has(name) ? written.info(name) : undefined;
      if (!found) different.set(name, "is missing");
      else if (found.dtype !== tensor.dtype || found.shape.join() !== tensor.shape.join()) different.set(name, `is ${found.dtype}[${found.shape}], expected ${tensor.dtype}[${tensor.shape}]`);
      else {
        const actual = Buffer.alloc(to - from);
        files.readInto(found.file, actual, found.offset + from);
        const compare = (expected: Uint8Array): void => {
          if (Buffer.compare(expected, actual) !== 0) different.set(name, "has other values");
        };
        if (!rows) {
          const expected = Buffer.alloc(to - from);
          files.readInto(job.source!.file, expected, job.source!.offset + from);
          compare(expected);
        } else {
          const rowBytes = job.source ? job.source.bytes / Math.max(1, job.source.shape[0] ?? 1) : 0;
          await runner.run(job, rows, (target) => job.source && files.readInto(job.source.file, target.subarray(0, Math.min(target.byteLength, (rows.stop - rows.start) * rowBytes)), job.source.offset + rows.start * rowBytes), compare);
        }
      }
    }
    progress.end();
    for (const name of written.names()) if (!known.has(name)) different.set(name, "is not part of the merge");
    const list = [...different].map(([name, what]) => ({ name, what }));
    out.result({ equal: list.length === 0, tensors: known.size, different: list }, () => (list.length === 0 ? `✓ all ${known.size} tensors are what merging gives, bit for bit` : list.map(({ name, what }) => `${printable(name)} ${what}`).join("\n")));
    return list.length === 0 ? EXIT.done : EXIT.unlike;
  } finally {
    backend.dispose();
    await Promise.all([files.close(), written.close(), prepared.close()]);
  }
};
