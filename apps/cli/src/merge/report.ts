import { join } from "node:path";
import { openWeights, hashFile } from "@weft/io-safetensors/node";
import { compareTensors } from "../files/compare-tensors.js";
import { FileSet } from "../files/file-set.js";
import type { Prepared } from "./prepare.js";
import { isCopy } from "./work.js";

/** What a merge did to one tensor. */
export interface TensorReport {
  readonly name: string;
  readonly change: "copied" | "merged" | "replaced" | "added";
  readonly dtype: string;
  readonly sha256: string;
  /** Largest change of a value; for tensors that changed and kept their shape. */
  readonly maxChange?: number;
}

/** Reads the merged checkpoint back and compares it with the base, tensor by tensor. */
export async function describeTensors(prepared: Prepared, out: string): Promise<TensorReport[]> {
  const files = new FileSet();
  const merged = await openWeights(join(out, prepared.shards ? "model.safetensors.index.json" : prepared.files[0]!.name));
  try {
    const reports: TensorReport[] = [];
    for (const { tensors } of prepared.files) {
      for (const { job, name, dtype } of tensors) {
        const info = merged.info(name);
        const sha256 = await hashFile(info.file, info.offset, info.bytes);
        const change = !job.source ? "added" : isCopy(job) ? "copied" : job.changes.some((c) => c.kind === "replace") ? "replaced" : "merged";
        const comparable = change !== "copied" && job.source?.shape.join() === info.shape.join();
        const difference = comparable ? compareTensors(files, job.source!, info, 0, new AbortController().signal) : undefined;
        reports.push({ name, change, dtype, sha256, ...(comparable && { maxChange: difference?.maxAbs ?? 0 }) });
      }
    }
    return reports;
  } finally {
    await files.close();
    await merged.close();
  }
}
