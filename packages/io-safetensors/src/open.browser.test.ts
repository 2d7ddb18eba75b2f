import { expect, it } from "vitest";
import { openHub } from "./hub.js";
import { bytesOfUrl } from "./http.js";
import { indexText, layoutFile, openSafetensors, planShards, SAFETENSORS_DTYPES, type TensorEntry } from "./index.js";

const ENTRIES: readonly TensorEntry[] = SAFETENSORS_DTYPES.map((dtype, i) => ({ name: `${dtype} é`, dtype, shape: [i + 1, 8] }));

/** A file of these tensors, as a page writes it: all data of a tensor has one value. */
function blobOf(entries: readonly TensorEntry[]): Blob {
  const { header, tensors } = layoutFile(entries, new Map([["format", "pt"]]));
  const data = tensors.map(({ name, bytes }) => new Uint8Array(bytes).fill(ENTRIES.findIndex((e) => e.name === name)));
  return new Blob([header as Uint8Array<ArrayBuffer>, ...data]);
}

it("writes a Blob of all dtypes and reads it", async () => {
  const source = await openSafetensors(blobOf(ENTRIES));
  expect(source.metadata).toEqual(new Map([["format", "pt"]]));
  for (const [i, { name, dtype, shape }] of ENTRIES.entries()) {
    const { data, ...rest } = await source.read(name, [i, i + 1]);
    expect(rest).toEqual({ dtype, shape: [1, shape[1]] });
    expect(data.byteLength).toBe(source.info(name).bytes / (i + 1));
    expect(data.every((value) => value === i)).toBe(true);
  }
  await source.close();
});

it("reads the files that a user chose", async () => {
  const shards = planShards(ENTRIES, "1KB");
  expect(shards.size).toBeGreaterThan(2);
  const files = [...shards].map(([name, entries]) => new File([blobOf(entries)], name));
  const source = await openSafetensors([new File([indexText(shards)], "model.safetensors.index.json"), ...files]);
  expect(source.warnings).toEqual([]);
  expect((await source.read("U64 é")).data).toEqual(new Uint8Array(22 * 8 * 8).fill(21));
});

it("reads a URL by ranges, if the server has them", async () => {
  const url = URL.createObjectURL(blobOf(ENTRIES));
  const source = await openSafetensors(url);
  expect((await source.read("U64 é", [20, 22])).data).toEqual(new Uint8Array(2 * 8 * 8).fill(21));
  URL.revokeObjectURL(url);
  await expect(bytesOfUrl(url, { attempts: 1 })).rejects.toMatchObject({ name: "IoError", kind: "http" });
});

it("knows the hub", async () => {
  const blob = new Uint8Array(await blobOf(ENTRIES).arrayBuffer());
  const asked: string[] = [];
  const hub = async (url: URL | RequestInfo): Promise<Response> => {
    asked.push(String(url));
    if (!String(url).endsWith("/model.safetensors")) return new Response(null, { status: 404 });
    return new Response(blob, { status: 206, headers: { "Content-Range": `bytes 0-${blob.length - 1}/${blob.length}` } });
  };
  const source = await openHub("hf:user/repo@v1", { fetch: hub });
  expect([...source.names()]).toHaveLength(22);
  expect(asked).toEqual(["https://huggingface.co/user/repo/resolve/v1/model.safetensors"]);
});

it("refuses what is damaged with the same words as in Node", async () => {
  await expect(openSafetensors(new Blob(["version https://git-lfs.github.com/spec/v1"]))).rejects.toMatchObject({
    kind: "git-lfs-pointer",
  });
  await expect(openSafetensors(blobOf(ENTRIES).slice(0, -1))).rejects.toMatchObject({ kind: "data-truncated" });
});

it("opens what a page has in its hands", async () => {
  const blob = blobOf(ENTRIES);
  const bytes = await blob.arrayBuffer();
  const response = (): Response => new Response(bytes);
  const transfer = new DataTransfer();
  transfer.items.add(new File([blob], "model.safetensors"));
  for (const input of [bytes, new Uint8Array(bytes), response(), transfer.files]) {
    const source = await openSafetensors(input);
    expect((await source.read("U64 é", [20, 22])).data).toEqual(new Uint8Array(2 * 8 * 8).fill(21));
  }
  await expect(openSafetensors(new Response(null, { status: 404 }))).rejects.toMatchObject({ name: "IoError", kind: "not-found" });
});

it("reads a URL that is relative to the page", async () => {
  const asked: string[] = [];
  const fetching = async (url: URL | RequestInfo): Promise<Response> => (
    asked.push(String(url)),
    new Response(await blobOf(ENTRIES).arrayBuffer())
  );
  const source = await openSafetensors("adapters/a.safetensors", { fetch: fetching });
  expect([...source.names()]).toHaveLength(22);
  expect(asked).toEqual([new URL("adapters/a.safetensors", document.baseURI).href]);
});
