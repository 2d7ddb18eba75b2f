import { statfsSync } from "node:fs";
import { IoError } from "@weft/tensor-core";
import { formatBytes } from "../format-bytes.js";

/** @param needed bytes that are to be written in a folder @throws IoError kind `disk-full` */
export function checkSpace(path: string, needed: number): void {
  const { bavail, bsize } = statfsSync(path);
  if (bavail * bsize >= needed) return;
  throw new IoError(`${path}: the output takes ${formatBytes(needed)}, the disk has ${formatBytes(bavail * bsize)} free`, {
    kind: "disk-full",
    file: path,
    cause: Object.assign(new Error("ENOSPC"), { code: "ENOSPC" }),
    hint: "free space, or choose an output on another disk",
  });
}
