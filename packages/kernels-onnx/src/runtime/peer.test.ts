import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "weft-peer-"));
afterAll(() => rmSync(folder, { recursive: true }));

const PROGRAM = `
import { createReferenceBackend, createDevice } from "@weft/tensor-core";
import { createOnnxBackend } from "./index.ts";
const skipped = [];
const device = await createDevice("auto", { onnx: () => createOnnxBackend(), cpu: createReferenceBackend }, { skipped: (line) => skipped.push(line) });
const providers = process.argv.slice(2);
const failed = await createOnnxBackend(providers.length > 0 ? { providers } : {}).then((backend) => (backend.dispose(), {}), (error) => error);
console.log(JSON.stringify({ device: device.name, skipped, kind: failed.kind, message: failed.message, hint: failed.hint }));
device.dispose();
`;

beforeAll(async () => {
  const resolveDir = fileURLToPath(new URL("..", import.meta.url));
  await build({
    stdin: { contents: PROGRAM, resolveDir },
    bundle: true,
    format: "esm",
    platform: "node",
    outfile: join(folder, "program.mjs"),
  });
});

/** Runs a program where the package onnxruntime-node is as given, or is not. */
function run(
  peer?: { version: string; code: string },
  ...providers: string[]
): Record<"device" | "kind" | "message" | "hint", string> & { skipped: string[] } {
  const modules = join(folder, "node_modules");
  rmSync(modules, { recursive: true, force: true });
  if (peer) {
    mkdirSync(join(modules, "onnxruntime-node"), { recursive: true });
    writeFileSync(join(modules, "onnxruntime-node/package.json"), JSON.stringify({ version: peer.version, main: "index.js" }));
    writeFileSync(join(modules, "onnxruntime-node/index.js"), peer.code);
  }
  const { stdout, stderr } = spawnSync(process.execPath, ["program.mjs", ...providers], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, NODE_PATH: "" },
  });
  expect(stderr).toBe("");
  return JSON.parse(stdout);
}

const INSTALL = "(ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node@~1.30.0)";

it("is not there: one line, and the next device", () => {
  expect(run()).toMatchObject({
    device: "reference",
    skipped: [`onnx: the package onnxruntime-node is not installed ${INSTALL}`],
    kind: "no-onnxruntime",
  });
});

it("is of another version: one line, and the next device", () => {
  expect(run({ version: "1.22.0", code: "" })).toMatchObject({
    device: "reference",
    skipped: [`onnx: onnxruntime-node 1.22.0 is installed, expected 1.30 ${INSTALL}`],
    kind: "onnxruntime-version",
  });
});

it("does not load: one line, and the next device", () => {
  expect(run({ version: "1.30.9", code: "throw new Error('libonnxruntime.so.1: cannot open shared object file')" })).toMatchObject({
    device: "reference",
    skipped: [`onnx: onnxruntime-node 1.30.9 does not start: libonnxruntime.so.1: cannot open shared object file ${INSTALL}`],
    kind: "onnxruntime-broken",
  });
});

describe("a provider", () => {
  // What the real package does where the parts for CUDA are not installed.
  const code = `
    exports.env = {};
    exports.listSupportedBackends = () => [{ name: "cpu", bundled: true }, { name: "webgpu", bundled: true }, { name: "cuda", bundled: false }];
    exports.InferenceSession = { async create(model, { executionProviders: [name] }) {
      if (name === "webgpu") throw new Error("/src/webgpu_context.cc:136 Initialize(const Config&) status == Success was false. Failed to get a WebGPU adapter: \\n");
      if (name === "cuda") throw new Error("Failed to load shared library");
      return { release() {} };
    } };`;
  const peer = { version: "1.30.0", code };

  it("that onnxruntime does not have: one line that names those that it has", () => {
    expect(run(peer, "coreml", "cpu")).toMatchObject({
      device: "onnx",
      kind: "no-provider",
      message: `onnxruntime-node 1.30.0 has no provider "coreml" on ${process.platform} ${process.arch}`,
      hint: "providers are cpu, webgpu, cuda",
    });
  });

  it("that does not start: one line with the reason", () => {
    expect(run(peer, "webgpu")).toMatchObject({
      kind: "no-provider",
      message: 'the provider "webgpu" of onnxruntime-node 1.30.0 does not start: Failed to get a WebGPU adapter:',
      hint: 'update the driver of its device, or leave "webgpu" out of the providers',
    });
  });

  it("that is not installed: one line with what installs it", () => {
    const { kind, message, hint } = run(peer, "cuda", "cpu");
    expect([kind, message]).toEqual([
      "no-provider",
      'the provider "cuda" of onnxruntime-node 1.30.0 does not start: Failed to load shared library',
    ]);
    expect(hint).toContain("without ONNXRUNTIME_NODE_INSTALL=skip");
  });

  it("that there is opens", () => {
    expect(run(peer, "cpu")).toMatchObject({ device: "onnx", skipped: [] });
  });
});
