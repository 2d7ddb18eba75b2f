import { statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { ioError, writeFileAtomic } from "@weft/io-safetensors/node";
import { ConfigError } from "@weft/tensor-core";
import { checkPlace } from "./check-output.js";
import { makeFolder } from "./make-folder.js";

/** `/dev/stdout` and the like are written as they are. */
const isDevice = (file: string): boolean => file.startsWith("/dev/");

/** Refuses what no report can be written to, before any work is done. @throws errors of `checkPlace` */
export function checkReport(file: string | undefined, inputs: readonly (string | undefined)[]): void {
  if (file === undefined || isDevice(file)) return;
  checkPlace(file, inputs);
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory())
    throw new ConfigError(`--report ${file}: this is a folder`, { kind: "not-a-file", file, hint: "name a file: report.json" });
}

/** Writes a report as JSON; one of an earlier run is replaced. */
export async function writeReportFile(file: string, report: object): Promise<void> {
  const text = `${JSON.stringify(report, undefined, 2)}\n`;
  if (!isDevice(file)) {
    makeFolder(dirname(file));
    return writeFileAtomic(file, text);
  }
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw ioError(error, file, "write");
  }
  return undefined;
}
