import { join } from "node:path";
import { ADAPTER_METHODS } from "@weft/methods";
import { createWasmBackend } from "@weft/kernels-wasm";
import { loadPretrained } from "@weft/models/node";
import { loadPeftModel } from "@weft/registry/node";
import { Device } from "@weft/tensor-core";
import { build } from "esbuild";
import { type Browser, chromium } from "playwright";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CHROMIUM_FLAGS, chromiumPath } from "../../../scripts/chromium.mjs";
import type { Answer } from "./page.js";
import { type PageServer, servePage } from "./serve-page.js";

const executablePath = await chromiumPath();
const ISOLATED = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };
const policy = (text: string): Record<string, string> => ({ ...ISOLATED, "Content-Security-Policy": text });
/** Machines of two cores and more. */
const CORES = "Object.defineProperty(navigator, 'hardwareConcurrency', { value: 2 });";
const NO_GPU = "Object.defineProperty(navigator, 'gpu', { value: undefined });";
/** A browser that refuses memories as `refuse` says. */
const memory = (refuse: string): string =>
  `${NO_GPU}${CORES}{ const Memory = WebAssembly.Memory; WebAssembly.Memory = function (d) { if (${refuse}) throw new RangeError("could not allocate memory"); return new Memory(d); }; }`;

let browser: Browser;
let server: PageServer;
let expected: readonly number[];

beforeAll(async () => {
  if (executablePath === undefined) return;
  // Minified, as deployed: names of errors must survive it.
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, "page.ts")],
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    target: "es2022",
  });
  server = await servePage(outputFiles[0]!.text);
  browser = await chromium.launch({ executablePath, args: CHROMIUM_FLAGS });
  const device = new Device(await createWasmBackend());
  const fixtures = join(import.meta.dirname, "../../../fixtures/peft");
  const peft = await loadPeftModel(await loadPretrained(join(fixtures, "llama_base"), { device }), join(fixtures, "llama_lora"), {
    methods: ADAPTER_METHODS,
  });
  const { logits } = peft.forward({ inputIds: device.tensor([[5, 6, 7]], { dtype: "i32" }) });
  expected = [...(await logits.data())].slice(-4);
  device.dispose();
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

async function visit(deployment: Parameters<PageServer["use"]>[0]): Promise<Answer> {
  server.use(deployment);
  const page = await browser.newPage();
  try {
    const answer = server.next();
    await page.goto(server.origin);
    return await answer;
  } finally {
    await page.close();
  }
}

/** The page ran, and says what Node says. */
async function runs(deployment: Parameters<PageServer["use"]>[0], { logits, ...rest }: Answer): Promise<void> {
  const answer = await visit(deployment);
  expect(answer).toMatchObject(rest);
  answer.logits!.forEach((value, i) => expect(value).toBeCloseTo((logits ?? expected)[i]!, 4));
}

describe.skipIf(executablePath === undefined)("a page", () => {
  it("that is not isolated runs on one thread", () => runs({ before: NO_GPU + CORES }, { backend: "cpu", threads: 1 }));
  it("that is isolated runs on as many as there are cores", () =>
    runs({ headers: ISOLATED, before: NO_GPU + CORES }, { backend: "cpu", threads: 2 }));
  it("does so in a worker", () => runs({ headers: ISOLATED, before: NO_GPU + CORES, inWorker: true }, { backend: "cpu", threads: 2 }));
  it("with WebGPU takes it", () => runs({ headers: ISOLATED }, { backend: "webgpu" }));
  it("whose requestAdapter rejects, or gives nothing, takes the CPU", async () => {
    const adapter = (body: string): string =>
      `Object.defineProperty(navigator, 'gpu', { value: { requestAdapter: async () => { ${body} } } });`;
    await runs({ before: adapter("throw new Error('blocklisted')") }, { backend: "cpu" });
    await runs({ before: adapter("return null") }, { backend: "cpu" });
  });
  it("without relaxed SIMD", () =>
    runs(
      {
        headers: ISOLATED,
        // 253, 133, 2 is f32x4.relaxed_madd.
        before: `${NO_GPU}${CORES}{ const validate = WebAssembly.validate; WebAssembly.validate = (b) => !String(b).includes("253,133,2,") && validate(b); }`,
      },
      { backend: "cpu" },
    ));
  it("from a server that ignores ranges", () => runs({ before: NO_GPU, ranges: false }, { backend: "cpu" }));

  describe("under a policy", () => {
    it("of 'self' alone cannot compile WebAssembly, and says what to allow", async () => {
      const { error } = await visit({ headers: policy("default-src 'self'"), before: NO_GPU });
      expect(error).toMatchObject({ name: "DeviceError", kind: "no-device" });
      expect(error!.message).toContain("WebAssembly may not be compiled here");
      expect(error!.hint).toContain("script-src 'wasm-unsafe-eval'");
    });
    it("of 'self' alone takes WebGPU where there is one", () =>
      runs({ headers: policy("default-src 'self'"), before: "" }, { backend: "webgpu" }));
    it("with 'wasm-unsafe-eval' but no workers of blob: counts the threads that it has", () =>
      runs(
        { headers: policy("default-src 'self'; script-src 'self' 'wasm-unsafe-eval'"), before: NO_GPU + CORES },
        { backend: "cpu", threads: 1 },
      ));
    it("with both has its threads", () =>
      runs(
        { headers: policy("default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:"), before: NO_GPU + CORES },
        { backend: "cpu", threads: 2 },
      ));
  });

  describe("whose browser", () => {
    it("refuses shared memories of 2 GiB and more takes the largest that it gives", () =>
      runs({ headers: ISOLATED, before: memory("d.maximum >= 32768") }, { backend: "cpu", threads: 2, maxBufferBytes: 2 ** 30 }));
    it("has no shared memory runs without", () => runs({ before: memory("d.shared") }, { backend: "cpu", threads: 1 }));
    it("has no SIMD is told so", async () => {
      const { error } = await visit({ before: `${NO_GPU}WebAssembly.validate = () => false;` });
      expect(error).toMatchObject({ name: "DeviceError", kind: "no-device" });
      expect(error!.message).toContain("WebAssembly has no SIMD here");
    });
  });
});
