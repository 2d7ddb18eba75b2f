// A GPU in software: the Vulkan driver SwiftShader out of @sparticuz/chromium, for the WebGPU tests on machines without a GPU.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { brotliDecompressSync } from "node:zlib";

const require = createRequire(import.meta.url);

/** The folder of a package, also where its exports hide package.json. */
function packageFolder(name) {
  let folder = dirname(require.resolve(name));
  while (!existsSync(join(folder, "bin"))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error(`${name} has no bin folder`);
    folder = parent;
  }
  return folder;
}

/** Files of a ustar archive: name at byte 0, size in octal at 124, data from 512 on in blocks of 512. */
function* filesOf(tar) {
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0;) {
    const name = tar.toString("utf8", at, at + 100).replace(/\0.*$/s, "");
    const size = Number.parseInt(tar.toString("ascii", at + 124, at + 136), 8) || 0;
    if (size > 0) yield { name: name.split("/").pop(), data: tar.subarray(at + 512, at + 512 + size) };
    at += 512 + Math.ceil(size / 512) * 512;
  }
}

/**
 * Unpacks SwiftShader once and points this process's environment (and so its children's) at it.
 * Nothing happens off x86-64 Linux, where the package has no driver, or where a driver is named already.
 * @returns the folder with the driver, or undefined
 */
export function prepareSwiftShader() {
  if (process.platform !== "linux" || process.arch !== "x64" || process.env.VK_DRIVER_FILES || process.env.VK_ICD_FILENAMES)
    return undefined;
  const folder = join(tmpdir(), "weft-swiftshader-147.0.0");
  if (!existsSync(folder)) {
    const fresh = `${folder}.${process.pid}`;
    mkdirSync(fresh, { recursive: true });
    const archive = readFileSync(join(packageFolder("@sparticuz/chromium"), "bin", "swiftshader.tar.br"));
    for (const { name, data } of filesOf(brotliDecompressSync(archive))) writeFileSync(join(fresh, name), data);
    try {
      renameSync(fresh, folder);
    } catch (error) {
      if (!existsSync(folder)) throw error; // another process was first
    }
  }
  process.env.VK_DRIVER_FILES = join(folder, "vk_swiftshader_icd.json");
  process.env.LD_LIBRARY_PATH = [folder, process.env.LD_LIBRARY_PATH].filter(Boolean).join(":");
  return folder;
}
