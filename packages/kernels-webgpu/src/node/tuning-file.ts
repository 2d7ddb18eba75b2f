import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { parseTuning, type Tuning, type TuningLimits } from "../tuning/tuning.js";

/** Number of the form of the file and of the kernels that its numbers were measured with. */
const FORMAT = 1;

interface TuningFile {
  readonly format: number;
  readonly devices: { readonly [key: string]: unknown };
}

/** Where tunings lie if nothing else is said: `WEFT_TUNING`, or `weft/webgpu-tuning.json` in the user's cache folder. */
export function tuningFile(): string {
  return process.env["WEFT_TUNING"] ?? join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "weft", "webgpu-tuning.json");
}

/** What tells one kind of GPU from another. */
function deviceKey({ vendor, architecture, device, description }: GPUAdapterInfo): string {
  return [vendor, architecture, device, description].join("|");
}

/** @throws Error for what cannot be read */
function open(path: string): TuningFile {
  const file = JSON.parse(readFileSync(path, "utf8")) as Partial<TuningFile> | null;
  if (typeof file?.format !== "number" || typeof file.devices !== "object" || file.devices === null)
    throw new TypeError("it is no file of tunings");
  return file as TuningFile;
}

const missing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === "ENOENT";

/**
 * The tuning that a file holds for a GPU; undefined if it has none. A file that is broken, of another version, or that asks for more than
 * the device has is not used, and `warn` is told why.
 */
export function readTuning(path: string, info: GPUAdapterInfo, limits: TuningLimits, warn: (text: string) => void): Tuning | undefined {
  try {
    const { format, devices } = open(path);
    if (format !== FORMAT) {
      warn(`${path} is of version ${format}, this is ${FORMAT}: its tunings are not used; tune again`);
      return undefined;
    }
    const found = devices[deviceKey(info)];
    return found === undefined ? undefined : parseTuning(found, limits);
  } catch (error) {
    if (!missing(error)) warn(`${path} is not used: ${(error as Error).message}; tune again or delete it`);
    return undefined;
  }
}

/** Adds the tuning of a GPU to a file, beside those of others; a file that cannot be used is replaced. Written whole or not at all. */
export function writeTuning(path: string, info: GPUAdapterInfo, tuning: Tuning): void {
  let devices = {};
  try {
    const before = open(path);
    if (before.format === FORMAT) devices = before.devices;
  } catch {
    // Nothing there that could be kept.
  }
  mkdirSync(dirname(path), { recursive: true });
  const fresh = `${path}.${process.pid}`;
  const file: TuningFile = { format: FORMAT, devices: { ...devices, [deviceKey(info)]: tuning } };
  writeFileSync(fresh, `${JSON.stringify(file, undefined, 2)}\n`);
  renameSync(fresh, path);
}
