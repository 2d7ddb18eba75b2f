import { availableParallelism } from "node:os";
import { CapabilityError } from "@weft/tensor-core";
import { formatBytes } from "../../format-bytes.js";
import { PROCESS_BYTES, WORKER_BYTES } from "../../plan/plan-memory.js";
import { encodeBytes, type EncodeJob } from "../../quantize/encode-job.js";
import type { ResourceOptions } from "../merge-options.js";
import { togetherOf } from "./encode-tensors.js";

/** Threads that fit into the memory that a job may take. @throws CapabilityError kind `memory-limit` */
export function encodeThreads(
  jobs: readonly EncodeJob[],
  { jobs: wanted = Math.min(8, availableParallelism()), maxMemory = 256e6 }: ResourceOptions,
): number {
  let [most, name] = [0, ""];
  for (const job of jobs) {
    const bytes = encodeBytes(job, togetherOf(job));
    if (bytes > most) [most, name] = [bytes, job.name];
  }
  const threads = Math.min(wanted, Math.floor((maxMemory - PROCESS_BYTES) / (WORKER_BYTES + most)));
  if (threads >= 1) return threads;
  const needed = Math.ceil((PROCESS_BYTES + WORKER_BYTES + most) / 1e6) * 1e6;
  throw new CapabilityError(`${name}: encoding this tensor takes ${formatBytes(needed)}; --max-memory allows ${formatBytes(maxMemory)}`, {
    kind: "memory-limit",
    tensor: name,
    hint: `pass --max-memory ${needed / 1e6}MB`,
  });
}
