import { createRequire } from "node:module";
import { CapabilityError } from "@weft/tensor-core";

/** The versions of onnxruntime-node that this package is tested with; the same as in its package.json. */
const TESTED = "1.30";

/** What installs it; without the variable its installer would fetch parts for CUDA that nothing here uses. */
export const INSTALL: string = `ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node@~${TESTED}.0`;

/** What brings the parts for CUDA and TensorRT, on Linux and Windows on x64. */
export const CUDA_INSTALL: string = `npm install onnxruntime-node@~${TESTED}.0 without ONNXRUNTIME_NODE_INSTALL=skip fetches its parts; CUDA and cuDNN must be there, too`;

/** An installed onnxruntime-node. */
export interface Peer {
  readonly path: string;
  readonly version: string;
}

/**
 * The onnxruntime-node beside this package or in the program that uses it, not loaded yet.
 * @throws CapabilityError kind `no-onnxruntime` if it is not installed, `onnxruntime-version` if it is another version
 */
export function findPeer(): Peer {
  for (const from of [import.meta.url, `${process.cwd()}/`]) {
    const require = createRequire(from);
    let version: string;
    try {
      ({ version } = require("onnxruntime-node/package.json") as { version: string });
    } catch {
      continue;
    }
    if (!version.startsWith(`${TESTED}.`))
      throw new CapabilityError(`onnxruntime-node ${version} is installed, expected ${TESTED}`, {
        kind: "onnxruntime-version",
        hint: INSTALL,
      });
    return { path: require.resolve("onnxruntime-node"), version };
  }
  throw new CapabilityError("the package onnxruntime-node is not installed", { kind: "no-onnxruntime", hint: INSTALL });
}
