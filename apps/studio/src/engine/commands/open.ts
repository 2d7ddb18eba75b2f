import { ConfigError } from "@weft/tensor-core";
import type { Handler } from "./command-context.js";

/** Between two reports of how much was read, in ms. */
const REPORT_EVERY = 100;

/** Opens the tiny model, or what files hold. */
export const open: Handler<"open"> = async ({ source }, { documents, files, log, turns, device }) => {
  const here = await device();
  if ("tiny" in source) return { ...(await turns.take(() => documents.openTiny(here))), documents: documents.list() };
  const put = source.files.map(({ file, path }) => {
    const found = files.get(file);
    if (!found) throw new ConfigError(`${path} has not arrived`, { kind: "no-match", hint: "drop it again" });
    return { path, file: found };
  });
  let reported = 0;
  const onReading = (what: string, done: number, total: number): void => {
    if (performance.now() - reported < REPORT_EVERY && done < total) return;
    reported = performance.now();
    log.add({ run: null, type: "progress", what, done, total });
  };
  // Between two steps of a training: both use the device.
  const result = await turns.take(() => documents.openFiles(put, here, onReading));
  for (const { file } of source.files) files.delete(file);
  return { ...result, documents: documents.list() };
};
