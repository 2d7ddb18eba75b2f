import { accessSync, constants, existsSync, readdirSync, realpathSync, type Stats, statSync } from "node:fs";
import { basename, dirname, join, resolve, sep } from "node:path";
import { ConfigError } from "@weft/tensor-core";
import { ioError } from "@weft/io-safetensors/node";

/** Folders of Linux's kernel: what is written there is no file, and making a folder may never end. */
const KERNEL = /^\/(?:proc|sys|dev(?!\/shm\/))(?:\/|$)/;
/** What a folder has that holds a checkpoint or an adapter. */
const HELD = /\.safetensors$|\.safetensors\.index\.json$|^adapter_config\.json$/;

/** What lies under a name without which the output would not be new. */
export const existsError = (path: string): ConfigError =>
  new ConfigError(`${path} exists already`, { kind: "exists", file: path, hint: "choose another output, or pass --force to replace it" });

export const inputError = (path: string, input: string): ConfigError =>
  new ConfigError(`${path}: the output is an input, or lies in one (${input})`, {
    kind: "output-is-input",
    file: path,
    hint: "choose another output; inputs are never written to",
  });

/**
 * Refuses an output that cannot be written or must not be, before any work is done for it.
 * @param inputs paths that the command reads, as they were named
 * @throws errors of `checkPlace`; ConfigError kind `exists` for a file, or a folder that holds a checkpoint or an adapter
 */
export function checkOutput(out: string, inputs: readonly (string | undefined)[], force: boolean): void {
  checkPlace(out, inputs);
  const held = force ? undefined : heldIn(out);
  if (held !== undefined) throw existsError(held);
}

/** @throws ConfigError kinds `not-a-file`, `not-a-folder`, `output-is-input`; FormatError kind `no-permission` */
export function checkPlace(out: string, inputs: readonly (string | undefined)[]): void {
  if (KERNEL.test(resolve(out)) || KERNEL.test(locate(out).real))
    throw new ConfigError(`${out}: /proc, /sys and /dev hold no files`, {
      kind: "not-a-file",
      file: out,
      hint: "choose a folder on a disk",
    });
  const { there, real, stat } = locate(out);
  const isOut = real === there;
  if (isOut ? !stat.isDirectory() && !stat.isFile() : !stat.isDirectory())
    throw new ConfigError(`${out}: ${isOut ? "this is neither a file nor a folder" : `${there} is not a folder`}`, {
      kind: isOut ? "not-a-file" : "not-a-folder",
      file: out,
      hint: "choose another output",
    });
  for (const input of inputs) {
    if (input === undefined || !existsSync(input)) continue;
    const source = realpathSync(input);
    if (real === source || (statSync(source).isDirectory() && real.startsWith(source + sep))) throw inputError(out, input);
  }
  try {
    accessSync(stat.isDirectory() ? there : dirname(there), constants.W_OK | constants.X_OK);
  } catch (error) {
    throw ioError(error, out, "write");
  }
}

/** What an output would replace: itself, if it is a file, or something of the checkpoint or adapter in the folder. */
function heldIn(out: string): string | undefined {
  const stat = statSync(out, { throwIfNoEntry: false });
  if (!stat?.isDirectory()) return stat && out;
  const name = readdirSync(out).find((one) => HELD.test(one));
  return name === undefined ? undefined : join(out, name);
}

/** The real path of what may not be there yet, and the part of it that is. */
function locate(path: string): { readonly real: string; readonly there: string; readonly stat: Stats } {
  let above = resolve(path);
  const missing: string[] = [];
  while (!existsSync(above) && dirname(above) !== above) {
    missing.unshift(basename(above));
    above = dirname(above);
  }
  const there = realpathSync(above);
  return { there, real: join(there, ...missing), stat: statSync(there) };
}
