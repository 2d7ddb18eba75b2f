import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type FileServer, sendRange, serveFiles } from "../testing/file-server.js";
import { WRITTEN } from "../testing/fixtures.js";
import { downloadDatasetFile, downloadFiles, downloadModel, hubFiles, openWeights, verifyCached } from "./index.js";

const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const CONFIG = new TextEncoder().encode('{"model_type": "llama"}\n');
const SHARDS = [1, 2, 3].map((i) => `model-0000${i}-of-00003.safetensors`);
const large = (name: string): Uint8Array => readFileSync(join(WRITTEN, "hub", name));
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const gitHash = (bytes: Uint8Array): string => createHash("sha1").update(`blob ${bytes.byteLength}\0`).update(bytes).digest("hex");

let hub: FileServer;
let store: FileServer;
let cache: string;
/** What the hub says instead of an answer, if anything. */
let refusal: { readonly status: number; readonly code?: string } | undefined;
/** Bytes that the store gives in place of a file's own. */
let forged: Uint8Array | undefined;
beforeEach(async () => {
  refusal = forged = undefined;
  cache = mkdtempSync(join(tmpdir(), "weft-hub-"));
  // As the hub does: small files come from it, large ones from a store elsewhere, which it describes where it says where they are.
  store = await serveFiles(new Map(), (request, response) => {
    const name = request.url!.slice(1);
    sendRange(request, response, forged ?? large(name), { ETag: '"of the store"' });
    return true;
  });
  const index = large("model.safetensors.index.json");
  hub = await serveFiles(new Map(), (request, response) => {
    const name = request.url!.slice(request.url!.lastIndexOf("/") + 1);
    const common = { "X-Repo-Commit": COMMIT };
    if (request.url === "/api/models/weft/tiny/revision/main")
      response.end(JSON.stringify({ siblings: ["config.json", ...SHARDS].map((rfilename) => ({ rfilename })) }));
    else if (refusal) response.writeHead(refusal.status, refusal.code === undefined ? {} : { "X-Error-Code": refusal.code }).end();
    else if (name === "config.json") sendRange(request, response, CONFIG, { ...common, ETag: `"${gitHash(CONFIG)}"` });
    else if (name === "model.safetensors.index.json") sendRange(request, response, index, { ...common, ETag: `"${gitHash(index)}"` });
    else if (SHARDS.includes(name))
      response.writeHead(302, { ...common, "X-Linked-Etag": `"${sha256(large(name))}"`, Location: `${store.origin}/${name}` }).end();
    else response.writeHead(404, { ...common, "X-Error-Code": "EntryNotFound" }).end();
    return true;
  });
  for (const name of ["HF_HOME", "HUGGINGFACE_HUB_CACHE", "TRANSFORMERS_OFFLINE", "HF_HUB_OFFLINE"]) vi.stubEnv(name, undefined);
  vi.stubEnv("HF_HUB_CACHE", cache);
  vi.stubEnv("HF_ENDPOINT", hub.origin);
  vi.stubEnv("HF_TOKEN", "secret");
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all([hub.close(), store.close()]);
  rmSync(cache, { recursive: true });
});
const folder = (): string => join(cache, "models--weft--tiny");
const fetchTiny = (options = {}): Promise<string> => downloadModel("hf:weft/tiny", ["config.json"], options);

it("lays a model down as huggingface_hub does, and asks for nothing when it is there", async () => {
  const progress: [number, number][] = [];
  const snapshot = await fetchTiny({ onProgress: (done: number, total: number) => progress.push([done, total]) });
  expect(snapshot).toBe(join(folder(), "snapshots", COMMIT));
  expect(readFileSync(join(folder(), "refs/main"), "utf8")).toBe(COMMIT);
  expect(readlinkSync(join(snapshot, "config.json"))).toBe(`../../blobs/${gitHash(CONFIG)}`);
  expect(readlinkSync(join(snapshot, SHARDS[0]!))).toBe(`../../blobs/${sha256(large(SHARDS[0]!))}`);
  expect(readdirSync(snapshot).toSorted()).toEqual(["config.json", ...SHARDS, "model.safetensors.index.json"].toSorted());
  expect(readFileSync(join(snapshot, "config.json"))).toEqual(Buffer.from(CONFIG));
  const total = SHARDS.reduce((sum, name) => sum + large(name).byteLength, 0);
  expect(progress.at(-1)).toEqual([total, total]);
  expect([...(await openWeights(snapshot)).names()]).toHaveLength(9);

  // The token is for the hub, not for the store that it leads to; what the repository lacks is asked for at the commit of the first answer, and no harm.
  expect(new Set(hub.headers.map((h) => h.authorization))).toEqual(new Set(["Bearer secret"]));
  expect(new Set(store.headers.map((h) => h.authorization))).toEqual(new Set([undefined]));
  const requests = hub.log.length;
  expect(await fetchTiny()).toBe(snapshot);
  expect(hub.log).toHaveLength(requests);
});

it("fetches files by their names, once, and lists what there is", async () => {
  const [name] = SHARDS as [string];
  expect(await hubFiles("hf:weft/tiny")).toEqual(["config.json", ...SHARDS]);
  const snapshot = await downloadFiles("hf:weft/tiny", ["config.json", name]);
  expect(readdirSync(snapshot).toSorted()).toEqual(["config.json", name].toSorted());
  const requests = hub.log.length;
  expect(await downloadFiles("hf:weft/tiny", [name])).toBe(snapshot);
  expect(hub.log).toHaveLength(requests);
  await expect(downloadFiles("hf:weft/tiny", ["other.gguf"])).rejects.toMatchObject({
    kind: "not-found",
    message: expect.stringContaining("other.gguf"),
  });
  await expect(hubFiles("hf:weft/none")).rejects.toMatchObject({ kind: "not-found" });
});

/** Which files in the cache are intact. */
const state = async (): Promise<unknown> =>
  Object.fromEntries((await verifyCached("hf:weft/tiny")).map(({ name, intact }) => [name, intact]));

it("tells files in the cache that are no longer what was fetched", async () => {
  await expect(verifyCached("hf:weft/tiny")).rejects.toMatchObject({ kind: "not-found" });
  const snapshot = await downloadFiles("hf:weft/tiny", ["config.json", SHARDS[0]!, SHARDS[1]!]);
  expect(await state()).toEqual({ "config.json": true, [SHARDS[0]!]: true, [SHARDS[1]!]: true });
  const blob = join(folder(), "blobs", sha256(large(SHARDS[0]!)));
  writeFileSync(blob, readFileSync(blob).fill(1, 100, 101));
  rmSync(join(folder(), "blobs", sha256(large(SHARDS[1]!))));
  rmSync(join(snapshot, "config.json"));
  writeFileSync(join(snapshot, "config.json"), CONFIG);
  expect(await state()).toEqual({ "config.json": undefined, [SHARDS[0]!]: false, [SHARDS[1]!]: false });
});

it("fetches a file of a data set once, also without network after that", async () => {
  const id = "hf:datasets/weft/texts@refs/convert/parquet/data/config.json";
  await expect(downloadDatasetFile(id, { offline: true })).rejects.toMatchObject({
    kind: "not-found",
    hint: expect.stringContaining("--offline"),
  });
  const path = await downloadDatasetFile(id);
  expect(path).toBe(join(cache, "datasets--weft--texts/snapshots", COMMIT, "data/config.json"));
  expect(readFileSync(path)).toEqual(Buffer.from(CONFIG));
  expect(hub.log.some((line) => line.includes("/datasets/weft/texts/resolve/refs%2Fconvert%2Fparquet/data/config.json"))).toBe(true);
  const requests = hub.log.length;
  expect(await downloadDatasetFile(id, { offline: true })).toBe(path);
  expect(hub.log).toHaveLength(requests);
  await expect(downloadDatasetFile("hf:datasets/weft/texts/none.jsonl")).rejects.toMatchObject({ kind: "not-found" });
  for (const wrong of [
    "hf:datasets/weft",
    "hf:datasets/weft/texts",
    "hf:datasets/weft/texts/../x",
    "hf:datasets/weft/texts/a//b",
    "hf:weft/texts/a",
  ])
    await expect(downloadDatasetFile(wrong)).rejects.toMatchObject({ kind: "hub-id" });
});

it("goes on where a download was stopped", async () => {
  const content = large(SHARDS[1]!);
  const part = join(folder(), "blobs", `${sha256(content)}.incomplete`);
  mkdirSync(join(folder(), "blobs"), { recursive: true });
  writeFileSync(part, content.subarray(0, content.byteLength - 1));
  const snapshot = await fetchTiny();
  expect(readFileSync(join(snapshot, SHARDS[1]!))).toEqual(Buffer.from(content));
  expect(existsSync(part)).toBe(false);
});

it("what was there is a part of what is checked: a damaged beginning is found, and fetched anew", async () => {
  const content = large(SHARDS[1]!);
  const part = join(folder(), "blobs", `${sha256(content)}.incomplete`);
  mkdirSync(join(folder(), "blobs"), { recursive: true });
  writeFileSync(part, new Uint8Array(content.byteLength - 1));
  await expect(fetchTiny()).rejects.toMatchObject({ kind: "http", message: expect.stringContaining("checksum") });
  expect(existsSync(part)).toBe(false);
  expect(readFileSync(join(await fetchTiny(), SHARDS[1]!))).toEqual(Buffer.from(content));
});

it("a call that is stopped leaves what the next one goes on with", async () => {
  const stop = new AbortController();
  await expect(fetchTiny({ signal: stop.signal, onProgress: () => stop.abort() })).rejects.toMatchObject({ name: "CancelledError" });
  expect(existsSync(join(folder(), "refs/main"))).toBe(false);
  const before = store.log.length;
  await fetchTiny();
  expect(store.log.slice(before).some((line) => line.includes(SHARDS[2]!))).toBe(true);
});

it("refuses a content that is not what the hub says, and keeps nothing of it", async () => {
  forged = new Uint8Array(large(SHARDS[0]!).byteLength);
  await expect(fetchTiny()).rejects.toMatchObject({ kind: "http", message: expect.stringContaining("checksum") });
  expect(readdirSync(join(folder(), "blobs")).filter((name) => name.endsWith(".incomplete"))).toEqual([]);
  forged = undefined;
  expect(existsSync(join(await fetchTiny(), SHARDS[0]!))).toBe(true);
});

it.each([
  [{ status: 404, code: "RepoNotFound" }, "not-found"],
  [{ status: 401, code: "GatedRepo" }, "no-permission"],
  [{ status: 403 }, "no-permission"],
])("%j is %s", async (said, kind) => {
  refusal = said;
  await expect(fetchTiny()).rejects.toMatchObject({ kind, file: "hf:weft/tiny" });
});

it("offline it takes what there is, and asks for nothing", async () => {
  vi.stubEnv("HF_HUB_OFFLINE", "1");
  await expect(fetchTiny()).rejects.toMatchObject({ kind: "not-found", hint: expect.stringContaining("HF_HUB_OFFLINE") });
  vi.stubEnv("HF_HUB_OFFLINE", undefined);
  const snapshot = await fetchTiny();
  const requests = hub.log.length;
  vi.stubEnv("HF_HUB_OFFLINE", "1");
  expect(await fetchTiny()).toBe(snapshot);
  expect(hub.log).toHaveLength(requests);
});

it("what answers without commit and checksum is no hub", async () => {
  const other = await serveFiles(new Map([["/weft/tiny/resolve/main/config.json", CONFIG]]));
  vi.stubEnv("HF_ENDPOINT", other.origin);
  await expect(fetchTiny()).rejects.toMatchObject({ kind: "http", hint: "is HF_ENDPOINT a hub?" });
  await other.close();
});
