import { createHash } from "node:crypto";
import { createServer, type Server } from "node:http";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openGgufPath } from "@weft/io-gguf/node";
import { type Device, type Tensor } from "@weft/tensor-core";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { LLAMA } from "../llama/llama.js";
import { DEVICES, fixture, fixtureTensors, worstError } from "../testing.js";
import { loadPretrained, type PretrainedInput } from "./load-pretrained.js";

const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const [LLAMA_FOLDER, TINY] = [fixture("models/llama"), fixture("quant/tiny.gguf")];
let device: Device;
let server: Server;
let origin: string;
let cache: string;

/** A web server with the files of the fixtures, which is a hub with one repository as well. */
function serve(): Promise<Server> {
  const files: Readonly<Record<string, string>> = {
    "/folder/config.json": join(LLAMA_FOLDER, "config.json"),
    "/folder/model.safetensors": join(LLAMA_FOLDER, "model.safetensors"),
    "/tiny.gguf": TINY,
  };
  const made = createServer((request, response) => {
    const repository = /^\/weft\/llama\/resolve\/[^/]+\/(config\.json|model\.safetensors)$/.exec(request.url!)?.[1];
    const path = repository === undefined ? files[request.url!] : join(LLAMA_FOLDER, repository);
    if (path === undefined) return void response.writeHead(404, { "X-Error-Code": "EntryNotFound" }).end();
    const bytes = readFileSync(path);
    const [, begin, end] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range!)!.map(Number);
    const piece = bytes.subarray(begin, end! + 1);
    const hub = repository === undefined ? {} : { "X-Repo-Commit": COMMIT, ETag: `"${createHash("sha256").update(bytes).digest("hex")}"` };
    response.writeHead(206, { "Content-Range": `bytes ${begin}-${begin! + piece.byteLength - 1}/${bytes.byteLength}`, ...hub }).end(piece);
  });
  return new Promise((resolve) => made.listen(0, "127.0.0.1", () => resolve(made)));
}

beforeAll(async () => {
  device = await DEVICES["cpu"]!();
  server = await serve();
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  cache = mkdtempSync(join(tmpdir(), "weft-hub-"));
  for (const name of ["HF_HOME", "HF_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"]) vi.stubEnv(name, undefined);
  vi.stubEnv("HF_HUB_CACHE", cache);
  vi.stubEnv("HF_ENDPOINT", origin);
});
afterAll(() => {
  vi.unstubAllEnvs();
  device.dispose();
  server.close();
  server.closeAllConnections();
  rmSync(cache, { recursive: true });
});

const INPUTS: readonly (readonly [what: string, input: () => PretrainedInput | Promise<PretrainedInput>, reference: string])[] = [
  ["a folder", () => LLAMA_FOLDER, "models/llama/ref"],
  ["a file", () => join(LLAMA_FOLDER, "model.safetensors"), "models/llama/ref"],
  ["the URL of a folder", () => `${origin}/folder/`, "models/llama/ref"],
  ["the URL of a file", () => new URL(`${origin}/folder/model.safetensors`), "models/llama/ref"],
  ["a repository of the hub", () => "hf:weft/llama", "models/llama/ref"],
  ["a GGUF file", () => TINY, "quant/tiny_gguf"],
  ["the URL of a GGUF file", () => `${origin}/tiny.gguf`, "quant/tiny_gguf"],
  ["an open GGUF file", () => openGgufPath(TINY), "quant/tiny_gguf"],
  ["a Blob", () => new Blob([readFileSync(TINY)]), "quant/tiny_gguf"],
];

test.each(INPUTS)("from %s", async (_, input, reference) => {
  const model = await loadPretrained(await input(), { device, architecture: LLAMA });
  const ref: ReadonlyMap<string, Tensor> = await fixtureTensors(`${reference}.safetensors`, device);
  expect(await worstError(model.forward({ inputIds: ref.get("input_ids")! }).logits, ref.get("logits")!)).toBeLessThan(1e-5);
});

test("what came from the hub is read in its cache from then on", async () => {
  const told: number[] = [];
  await loadPretrained("hf:weft/llama", { device });
  vi.stubEnv("HF_HUB_OFFLINE", "1");
  await loadPretrained("hf:weft/llama", { device, onDownload: (done) => told.push(done) });
  expect(told).toEqual([]);
  await expect(loadPretrained("hf:weft/other", { device })).rejects.toMatchObject({ kind: "not-found" });
  vi.stubEnv("HF_HUB_OFFLINE", undefined);
  await expect(loadPretrained("hf:weft/other", { device })).rejects.toMatchObject({ kind: "not-found" });
});

test("what is not there is named", async () => {
  await expect(loadPretrained("no-such-folder")).rejects.toMatchObject({ kind: "not-found", file: "no-such-folder" });
  await expect(loadPretrained(`${origin}/nowhere/`)).rejects.toMatchObject({ kind: "not-found", file: `${origin}/nowhere/config.json` });
});
