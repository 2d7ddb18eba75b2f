import { constants } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createNodeWebGpuBackend, openGpu } from "@weft/kernels-webgpu/node";
import type { WebGpuBackend } from "@weft/kernels-webgpu";

/** The GPU that is measured. */
export interface BenchGpu {
  readonly backend: WebGpuBackend;
  /** The entry that other engines take their device from. */
  readonly gpu: GPU;
  readonly name: string;
  /** A driver that computes on the CPU: it shows that everything runs, and nothing about speed. */
  readonly software: boolean;
}

// A software driver zeroes workgroup memory by one store per element and compiles that for seconds.
const SOFTWARE_FLAGS = ["enable-dawn-features=disable_workgroup_init"];
/** Beyond this, memory of cases that are done is given back; the largest case takes half of it. */
const MEMORY = 3 * 2 ** 30;
/** RTLD_NODELETE: Node would unload the library again at once. */
const NO_DELETE = 0x1000;

/** Makes SwiftShader known to this process, as far as the repository's packages have it for this system. @returns false if not */
async function loadSwiftShader(root: string): Promise<boolean> {
  const { prepareSwiftShader } = (await import(pathToFileURL(join(root, "scripts/swiftshader.mjs")).href)) as {
    prepareSwiftShader(): string | undefined;
  };
  const folder = prepareSwiftShader();
  if (folder === undefined) return false;
  try {
    // The search path of libraries was read when the process began; a library that is loaded already is found by its name.
    process.dlopen({ exports: {} }, join(folder, "libvulkan.so.1"), constants.dlopen.RTLD_NOW | NO_DELETE);
  } catch {
    // It is no module of Node, which is said after it was loaded.
  }
  return true;
}

/** Opens the GPU of this machine, or SwiftShader where there is none. @returns undefined where there is neither */
export async function openBenchGpu(root: string, note: (text: string) => void): Promise<BenchGpu | undefined> {
  let adapter = await (await openGpu()).requestAdapter();
  if (!adapter && (await loadSwiftShader(root))) adapter = await (await openGpu()).requestAdapter();
  if (!adapter) return undefined;
  const { vendor, architecture, description } = adapter.info;
  const software = adapter.info.isFallbackAdapter || architecture === "swiftshader";
  const dawnFlags = software ? SOFTWARE_FLAGS : [];
  const backend = await createNodeWebGpuBackend({ dawnFlags, memoryBudget: MEMORY, powerPreference: "high-performance", warn: note });
  const name = description || `${vendor} ${architecture}`;
  return { backend, gpu: await openGpu(dawnFlags), software, name: software ? `${name}, software` : name };
}
