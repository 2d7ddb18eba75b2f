import { existsSync } from "node:fs";
import { join } from "node:path";
import { findPeer } from "../runtime/peer.js";

/** Whether onnxruntime-node has a binary for this platform; its package brings those of all that it supports. */
export function hasRuntime(): boolean {
  const { path } = findPeer();
  const binary = join(path, "../../bin/napi-v6", process.platform, process.arch, "onnxruntime_binding.node");
  return existsSync(binary);
}

/** What a test's name ends with: why it is skipped, where it is. */
export const REASON: string = hasRuntime() ? "" : ` (skipped: onnxruntime-node has no binary for ${process.platform} ${process.arch})`;
