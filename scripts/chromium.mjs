// A headless Chromium for the browser tests, out of the npm package that also carries SwiftShader.
import chromium from "@sparticuz/chromium";

/** Flags under which WebGPU runs on SwiftShader and nothing is looked up outside. */
export const CHROMIUM_FLAGS = [
  "--no-sandbox",
  "--enable-unsafe-webgpu",
  "--enable-features=Vulkan",
  "--use-webgpu-adapter=swiftshader",
  // SwiftShader zeroes workgroup memory by one store per element and compiles that for long; no kernel reads what it has not written.
  "--enable-dawn-features=disable_workgroup_init",
  "--disable-background-networking",
  "--disable-component-update",
  "--no-first-run",
];

/** Unpacks it once. @returns the path of the program, or undefined off x86-64 Linux, where the package has none */
export async function chromiumPath() {
  return process.platform === "linux" && process.arch === "x64" ? chromium.executablePath() : undefined;
}
