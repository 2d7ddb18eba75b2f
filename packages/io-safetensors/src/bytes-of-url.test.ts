import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { bytesOfUrl, MAX_WHOLE_BODY_BYTES } from "./http.js";
import { openSafetensors } from "./index.js";
import { type Answer, type FileServer, sendRange, serveFiles } from "./testing/file-server.js";
import { WRITTEN } from "./testing/fixtures.js";

/** Longer than what is fetched first, so that reads near the end are requests of their own. */
const LONG = Uint8Array.from({ length: 200_000 }, (_, i) => (i * 31 + (i >> 8)) & 255);

let server: FileServer | undefined;
afterEach(() => server?.close());
async function serve(answer?: Answer, files: [string, Uint8Array][] = [["/long", LONG]]): Promise<string> {
  server = await serveFiles(new Map(files), answer);
  return `${server.origin}${files[0]![0]}`;
}

describe("bytes of a URL", () => {
  it("are read by ranges; the beginning is fetched once", async () => {
    const source = await bytesOfUrl(await serve());
    expect(source.size).toBe(LONG.byteLength);
    expect(await source.read(5, 1000)).toEqual(LONG.slice(5, 1005));
    expect(await source.read(65_500, 100)).toEqual(LONG.slice(65_500, 65_600));
    expect(await source.read(LONG.byteLength - 7, 7)).toEqual(LONG.slice(-7));
    expect(await source.read(LONG.byteLength, 0)).toEqual(new Uint8Array(0));
    expect(server!.log).toEqual(["GET /long bytes=0-65535", "GET /long bytes=65500-65599", "GET /long bytes=199993-199999"]);
    await source.close();
  });

  it("may be none", async () => {
    const url = await serve(undefined, [["/empty", new Uint8Array(0)]]);
    expect((await bytesOfUrl(url)).size).toBe(0);
    await expect(openSafetensors(url)).rejects.toMatchObject({ kind: "header-too-small" });
  });

  it("carry the caller's headers", async () => {
    await bytesOfUrl(await serve(), { headers: { "X-Test": "yes" } });
    expect(server!.headers[0]).toMatchObject({ "x-test": "yes", range: "bytes=0-65535" });
  });
});

describe("a server", () => {
  /** Plain answers first (`skip` of them), then `answer` `times` times. */
  const after = (skip: number, times: number, answer: Answer): Answer => {
    let seen = 0;
    return (request, response) => (seen++ >= skip && seen <= skip + times ? (answer(request, response) ?? true) : false);
  };
  const http = (kind = "http"): object => ({ kind, file: expect.stringMatching(/^http:.*\/long$/) as string });

  it.each([200, 206, 403])("that sends what is refused (%i) without end is hung up on", async (status) => {
    let closed: Promise<void> | undefined;
    const url = await serve((_, response) => {
      closed = new Promise((resolve) => response.on("close", resolve));
      response.writeHead(status, { "Content-Range": "bytes 7-9/100" });
      const more = (): void => void (response.destroyed || response.write(LONG, more));
      more();
      return true;
    });
    await expect(bytesOfUrl(url)).rejects.toMatchObject(http());
    await closed;
  });

  it("without ranges gives a small file whole, in one request", async () => {
    const source = await bytesOfUrl(await serve((_, response) => (response.writeHead(200).end(LONG), true)));
    expect(source.size).toBe(LONG.byteLength);
    expect(await source.read(100_000, 99)).toEqual(LONG.slice(100_000, 100_099));
    expect(server!.log).toHaveLength(1);
  });

  it("without ranges is refused a large file, with what to do", async () => {
    const announced = { "Content-Length": String(MAX_WHOLE_BODY_BYTES + 1) };
    const url = await serve((_, response) => (response.writeHead(200, announced).write(LONG), true));
    await expect(bytesOfUrl(url)).rejects.toMatchObject({
      ...http(),
      message: expect.stringContaining("ignores ranges") as string,
      hint: expect.stringContaining("Accept-Ranges") as string,
    });
  });

  it("that stops serving ranges is not believed", async () => {
    const url = await serve(after(1, 1, (_, response) => void response.writeHead(200).end(LONG)));
    const source = await bytesOfUrl(url);
    await expect(source.read(70_000, 9)).rejects.toMatchObject({ ...http(), message: expect.stringContaining("ranges") as string });
  });

  it.each([401, 403, 410])("that answers %i is believed at once", async (status) => {
    const url = await serve((_, response) => (response.writeHead(status).end(), true));
    await expect(bytesOfUrl(url)).rejects.toMatchObject({ ...http(), message: expect.stringContaining(String(status)) as string });
    expect(server!.log).toHaveLength(1);
  });

  it("that has no such file is believed at once", async () => {
    await serve();
    await expect(bytesOfUrl(`${server!.origin}/none`)).rejects.toMatchObject({ name: "IoError", kind: "not-found" });
    expect(server!.log).toHaveLength(1);
  });

  it.each([408, 429, 500, 502, 503, 504])("that answers %i is asked again", async (status) => {
    const source = await bytesOfUrl(await serve(after(0, 1, (_, response) => void response.writeHead(status).end("busy"))));
    expect(await source.read(0, 9)).toEqual(LONG.slice(0, 9));
    expect(server!.log).toHaveLength(2);
  });

  it("that stays busy is given up", async () => {
    const url = await serve((_, response) => (response.writeHead(503).end(), true));
    await expect(bytesOfUrl(url, { attempts: 2 })).rejects.toMatchObject({ ...http(), message: expect.stringContaining("503") as string });
    expect(server!.log).toHaveLength(2);
  });

  it("that is not there is told by its address", async () => {
    const url = await serve();
    await server!.close();
    await expect(bytesOfUrl(url, { attempts: 1 })).rejects.toMatchObject({ ...http(), name: "IoError" });
  });

  it.each([
    ["no Content-Range", {}],
    ["no size", { "Content-Range": "bytes 100000-100009/*" }],
    ["another range", { "Content-Range": "bytes 100001-100010/200000" }],
    ["a shorter range", { "Content-Range": "bytes 100000-100008/200000" }],
    ["nonsense", { "Content-Range": "items 1-2/3" }],
  ])("that says %s is refused", async (_, headers) => {
    const source = await bytesOfUrl(
      await serve(after(1, 1, (_request, response) => void response.writeHead(206, headers).end(LONG.subarray(0, 10)))),
    );
    await expect(source.read(100_000, 10)).rejects.toMatchObject(http());
  });

  it("whose file changes its size or its tag between reads is refused", async () => {
    let version = "1";
    let length = LONG.byteLength;
    const source = await bytesOfUrl(
      await serve((request, response) => (sendRange(request, response, LONG.subarray(0, length), { ETag: `"${version}"` }), true)),
    );
    expect(await source.read(100_000, 10)).toEqual(LONG.slice(100_000, 100_010));
    length--;
    await expect(source.read(100_000, 10)).rejects.toMatchObject({ ...http(), name: "IoError" });
    length++;
    version = "2";
    await expect(source.read(100_000, 10)).rejects.toMatchObject({ ...http(), name: "IoError" });
  });

  it("that breaks off is asked for the rest", async () => {
    const url = await serve(
      after(1, 2, (request, response) => {
        const [, begin, end] = /(\d+)-(\d+)/.exec(request.headers.range!)!.map(Number);
        response.writeHead(206, {
          "Content-Range": `bytes ${begin}-${end}/${LONG.byteLength}`,
          "Content-Length": String(end! - begin! + 1),
        });
        response.write(LONG.subarray(begin, begin! + 1000), () => response.destroy());
      }),
    );
    const source = await bytesOfUrl(url);
    expect(await source.read(100_000, 5000)).toEqual(LONG.slice(100_000, 105_000));
    expect(server!.log.slice(1)).toEqual([
      "GET /long bytes=100000-104999",
      "GET /long bytes=101000-104999",
      "GET /long bytes=102000-104999",
    ]);
  });

  it.each<[string, Uint8Array]>([
    ["too few", LONG.subarray(100_000, 100_004)],
    ["no", LONG.subarray(0, 0)],
  ])("that always sends %s bytes is given up", async (_, body) => {
    const wrong: Answer = (request, response) => {
      const [, begin, end] = /(\d+)-(\d+)/.exec(request.headers.range!)!.map(Number);
      const sent = begin === 100_000 ? body : new Uint8Array(0);
      response.writeHead(206, { "Content-Range": `bytes ${begin}-${end}/${LONG.byteLength}` }).end(sent);
    };
    const source = await bytesOfUrl(await serve(after(1, 9, wrong)), { attempts: 2 });
    await expect(source.read(100_000, 10)).rejects.toMatchObject({ ...http(), message: expect.stringContaining("of 10 bytes") as string });
  });

  it("that sends too many bytes is refused", async () => {
    const answer: Answer = (_, response) =>
      void response.writeHead(206, { "Content-Range": `bytes 100000-100009/${LONG.byteLength}` }).end(LONG.subarray(0, 11));
    const source = await bytesOfUrl(await serve(after(1, 1, answer)));
    await expect(source.read(100_000, 10)).rejects.toMatchObject({ ...http(), message: expect.stringContaining("too long") as string });
  });

  it("that redirects is followed", async () => {
    const url = await serve((request, response) =>
      request.url === "/long" ? false : (response.writeHead(302, { Location: "/long" }).end(), true),
    );
    const source = await bytesOfUrl(url.replace("/long", "/moved"));
    expect(await source.read(199_000, 10)).toEqual(LONG.slice(199_000, 199_010));
  });
});

describe("an abort", () => {
  it("before, while waiting for an answer, and in the pause before another attempt", async () => {
    const url = await serve((request, response) => {
      if (request.url === "/busy") return (response.writeHead(503).end(), true);
      return request.url === "/silent";
    });
    await expect(bytesOfUrl(url, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: "CancelledError" });
    expect(server!.log).toEqual([]);
    for (const path of ["/silent", "/busy"]) {
      const abort = new AbortController();
      setTimeout(() => abort.abort(), 50);
      await expect(bytesOfUrl(url.replace("/long", path), { signal: abort.signal })).rejects.toMatchObject({ name: "CancelledError" });
    }
  });

  it("while the answer comes in", async () => {
    const abort = new AbortController();
    const url = await serve((request, response) => {
      if (request.headers.range === "bytes=0-65535") return false;
      response.writeHead(206, { "Content-Range": `bytes 100000-100009/${LONG.byteLength}` }).write(LONG.subarray(0, 3));
      setTimeout(() => abort.abort(), 50);
      return true;
    });
    const source = await bytesOfUrl(url, { signal: abort.signal });
    await expect(source.read(100_000, 10)).rejects.toMatchObject({ name: "CancelledError" });
  });
});

describe("openSafetensors of a URL", () => {
  const file = (...path: string[]): Uint8Array => readFileSync(join(WRITTEN, ...path));
  it("reads a file", async () => {
    const bytes = file("all_dtypes.safetensors");
    const source = await openSafetensors(await serve(undefined, [["/a%20b.safetensors?x=1", bytes]]));
    const expected = await openSafetensors(bytes);
    expect([...source.names()]).toEqual([...expected.names()]);
    for (const name of expected.names()) expect(await source.read(name)).toEqual(await expected.read(name));
  });

  it("reads the shards beside an index", async () => {
    const names = ["model.safetensors.index.json", ...[1, 2, 3].map((i) => `model-0000${i}-of-00003.safetensors`)];
    const url = await serve(
      undefined,
      names.map((name) => [`/repo/${name}`, file("hub", name)]),
    );
    const source = await openSafetensors(new URL(url));
    expect([...source.names()]).toHaveLength(9);
    expect(source.info("large").file).toBe(url.replace(names[0]!, names[1]!));
    expect((await source.read("large", [3, 5])).data).toHaveLength(2 * 20 * 2);
  });

  it("says which shard is missing", async () => {
    const url = await serve(undefined, [["/model.safetensors.index.json", file("hub/model.safetensors.index.json")]]);
    await expect(openSafetensors(url)).rejects.toMatchObject({
      kind: "not-found",
      file: url.replace(".safetensors.index.json", "-00001-of-00003.safetensors"),
    });
  });
});
