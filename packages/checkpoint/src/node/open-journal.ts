import { rmSync } from "node:fs";
import { join } from "node:path";
import { Journal, JOURNAL } from "@weft/io-safetensors/node";
import { ConfigError } from "@weft/tensor-core";

/** The journal of this job in a folder, a new one if there is none, or with `force` in place of another's. @throws ConfigError kind `other-job` */
export function openJournal(path: string, { job, force }: { readonly job: string; readonly force: boolean }): Journal {
  try {
    return new Journal(path, job);
  } catch (error) {
    if (!(error instanceof ConfigError && error.kind === "other-job")) throw error;
    if (!force)
      throw new ConfigError(error.message, { kind: error.kind, file: path, hint: "choose another folder, or pass --force to begin anew" });
    rmSync(join(path, JOURNAL));
    return new Journal(path, job);
  }
}
