import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, it } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "weft-peer-"));
afterAll(() => rmSync(folder, { recursive: true }));

const PROGRAM = `
import { createReferenceBackend, createDevice } from "@weft/tensor-core";
import { createOnnxBackend } from "./index.ts";
const skipped = [];
const device = await createDevice("auto", { onnx: () => createOnnxBackend(), cpu: createReferenceBackend }, { skipped: (line) => skipped.push(line) });
const kind = await createOnnxBackend().then(() => "", (error) => error.kind);
console.log(JSON.stringify({ device: device.name, skipped, kind }));
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
function run(peer?: { version: string; code: string }): { device: string; skipped: string[]; kind: string } {
  const modules = join(folder, "node_modules");
  rmSync(modules, { recursive: true, force: true });
  if (peer) {
    mkdirSync(join(modules, "onnxruntime-node"), { recursive: true });
    writeFileSync(join(modules, "onnxruntime-node/package.json"), JSON.stringify({ version: peer.version, main: "index.js" }));
    writeFileSync(join(modules, "onnxruntime-node/index.js"), peer.code);
  }
  const { stdout, stderr } = spawnSync(process.execPath, ["program.mjs"], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, NODE_PATH: "" },
  });
  expect(stderr).toBe("");
  return JSON.parse(stdout);
}

const INSTALL = "(ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node@~1.30.0)";

it("is not there: one line, and the next device", () => {
  expect(run()).toEqual({
    device: "reference",
    skipped: [`onnx: the package onnxruntime-node is not installed ${INSTALL}`],
    kind: "no-onnxruntime",
  });
});

it("is of another version: one line, and the next device", () => {
  expect(run({ version: "1.22.0", code: "" })).toEqual({
    device: "reference",
    skipped: [`onnx: onnxruntime-node 1.22.0 is installed, expected 1.30 ${INSTALL}`],
    kind: "onnxruntime-version",
  });
});

it("does not load: one line, and the next device", () => {
  expect(run({ version: "1.30.9", code: "throw new Error('libonnxruntime.so.1: cannot open shared object file')" })).toEqual({
    device: "reference",
    skipped: [`onnx: onnxruntime-node 1.30.9 does not start: libonnxruntime.so.1: cannot open shared object file ${INSTALL}`],
    kind: "onnxruntime-broken",
  });
});
