import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { openHub, parseHubId } from "./hub.js";
import { type Answer, type FileServer, serveFiles } from "./testing/file-server.js";
import { WRITTEN } from "./testing/fixtures.js";

const INDEX = "model.safetensors.index.json";
const SHARDS = [1, 2, 3].map((i) => `model-0000${i}-of-00003.safetensors`);
const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const content = (...path: string[]): Uint8Array => readFileSync(join(WRITTEN, ...path));

const servers: FileServer[] = [];
afterEach(() => Promise.all(servers.splice(0).map((server) => server.close())));
async function serve(files: Record<string, Uint8Array>, answer?: Answer): Promise<FileServer> {
  const server = await serveFiles(new Map(Object.entries(files)), answer);
  servers.push(server);
  return server;
}
const repo = (at: string, names: readonly string[] = [INDEX, ...SHARDS]): Record<string, Uint8Array> =>
  Object.fromEntries(names.map((name) => [`/user/repo/resolve/${at}/${name}`, content("hub", name)]));

describe("the id of a repository", () => {
  it.each([
    ["hf:user/repo", "user/repo", "main"],
    ["hf:gpt2", "gpt2", "main"],
    ["hf:a.b-c_d/E.1@v1.0", "a.b-c_d/E.1", "v1.0"],
    ["hf:user/repo@refs/pr/12", "user/repo", "refs/pr/12"],
  ])("%s is %s at %s", (id, repository, revision) => expect(parseHubId(id)).toEqual({ repo: repository, revision }));
  it.each([
    "user/repo",
    "hf:",
    "hf:a/b/c",
    "hf:../b",
    "hf:a/..",
    "hf:a/b@",
    "hf:a/b@../x",
    "hf:a/b@x/../y",
    "hf:a/b@x//y",
    "hf:a/b@/x",
    "hf:a/b?x",
    "hf:a/b@x#y",
    "hf:a--b/c",
    "hf:.a/b",
    "hf:a/b-",
    "hf:a/b c",
    "hf:a/b@x y",
    `hf:${"a".repeat(97)}`,
    "hf:a\\b",
    "hf:é/b",
  ])("%s is none", (id) => {
    expect(() => parseHubId(id)).toThrow(expect.objectContaining({ name: "ConfigError", kind: "hub-id" }));
  });
});

describe("weights on the hub", () => {
  it("are found by the usual names, and read by ranges", async () => {
    const { origin, log } = await serve({ "/user/repo/resolve/main/adapter_model.safetensors": content("all_dtypes.safetensors") });
    const source = await openHub("hf:user/repo", { endpoint: `${origin}/` });
    expect([...source.names()].length).toBe(80);
    expect(log.map((line) => line.split("/").at(-1))).toEqual([
      "model.safetensors bytes=0-65535",
      "model.safetensors.index.json bytes=0-65535",
      "adapter_model.safetensors bytes=0-65535",
    ]);
  });

  it("lie in the shards of an index", async () => {
    const { origin } = await serve(repo("v1"));
    const source = await openHub("hf:user/repo@v1", { endpoint: origin });
    expect([...source.names()]).toHaveLength(9);
    expect((await source.read("large")).data.byteLength).toBe(1600);
  });

  it("are all of the commit of the first answer, though the branch moves on", async () => {
    const files = repo(COMMIT);
    const { origin, log } = await serve(files, (_, response) => (response.setHeader("X-Repo-Commit", COMMIT), false));
    await openHub("hf:user/repo", { endpoint: origin });
    expect(log.filter((line) => line.includes("/main/"))).toHaveLength(1);
    expect(log.filter((line) => line.includes(`/${COMMIT}/`))).toHaveLength(4);
  });

  it("that are not there are told apart", async () => {
    const { origin } = await serve({}, (request, response) => {
      if (request.url!.startsWith("/no/repo")) return (response.writeHead(404, { "X-Error-Code": "RepoNotFound" }).end(), true);
      if (request.url!.startsWith("/gated/")) return (response.writeHead(403).end(), true);
      return request.url!.startsWith("/private/") ? (response.writeHead(401).end(), true) : false;
    });
    const options = { endpoint: origin };
    await expect(openHub("hf:user/empty", options)).rejects.toMatchObject({
      name: "FormatError",
      kind: "not-found",
      message: "hf:user/empty: the repository has no safetensors file",
    });
    await expect(openHub("hf:no/repo", options)).rejects.toMatchObject({
      kind: "not-found",
      message: expect.stringContaining("RepoNotFound") as string,
    });
    for (const id of ["hf:gated/repo", "hf:private/repo"])
      await expect(openHub(id, options)).rejects.toMatchObject({
        kind: "no-permission",
        file: id,
        hint: expect.stringContaining("HF_TOKEN") as string,
      });
  });
});

describe("a token", () => {
  /** A hub that sends its large files from another host, or from another path of its own. */
  async function redirecting(where: "other host" | "same host"): Promise<{ hub: FileServer; other: FileServer }> {
    const file = content("all_dtypes.safetensors");
    const other = await serve({ "/signed": file });
    const hub = await serve({ "/signed": file }, (request, response) => {
      if (request.url === "/signed") return false;
      const target = where === "other host" ? `${other.origin}/signed` : "/signed";
      response.writeHead(302, { Location: target, "X-Repo-Commit": COMMIT }).end();
      return true;
    });
    return { hub, other };
  }

  it.each(["other host", "same host"] as const)("is not taken along by a redirect to the %s", async (where) => {
    const { hub, other } = await redirecting(where);
    const source = await openHub("hf:user/repo", { endpoint: hub.origin, token: "secret", headers: { "X-Mine": "1" } });
    expect([...source.names()]).toHaveLength(80);
    const direct = hub.headers.filter((_, i) => !hub.log[i]!.includes("/signed"));
    const followed = [...other.headers, ...hub.headers.filter((_, i) => hub.log[i]!.includes("/signed"))];
    expect(direct.map((h) => h.authorization)).toEqual(["Bearer secret"]);
    expect(followed).toHaveLength(1);
    expect(followed[0]).toMatchObject({ range: "bytes=0-65535" });
    expect(JSON.stringify(followed)).not.toMatch(/secret|x-mine/);
  });

  it("is taken off by the browser where it follows by itself", async () => {
    const file = Uint8Array.from(content("all_dtypes.safetensors"));
    const seen: [string, string | null][] = [];
    // What `fetch` of a page answers: a redirect that says nothing, or the end of the way.
    const fetchOfPage = async (_: unknown, init?: RequestInit): Promise<Response> => {
      seen.push([init?.redirect ?? "follow", new Headers(init?.headers).get("authorization")]);
      if (init?.redirect === "manual") return Object.defineProperty(Response.error(), "type", { value: "opaqueredirect" });
      return new Response(file, {
        status: 206,
        headers: { "Content-Range": `bytes 0-${file.byteLength - 1}/${file.byteLength}` },
      });
    };
    const source = await openHub("hf:user/repo", { token: "secret", fetch: fetchOfPage as typeof fetch });
    expect([...source.names()]).toHaveLength(80);
    expect(seen).toEqual([
      ["manual", "Bearer secret"],
      ["follow", "Bearer secret"],
    ]);
  });

  it("that is not given keeps nothing from being followed", async () => {
    const { hub } = await redirecting("other host");
    expect([...(await openHub("hf:user/repo", { endpoint: hub.origin })).names()]).toHaveLength(80);
    expect(hub.headers[0]!.authorization).toBeUndefined();
  });

  it("shows in no message", async () => {
    const { origin } = await serve({}, (_, response) => (response.writeHead(401).end(), true));
    const error: unknown = await openHub("hf:user/repo", { endpoint: origin, token: "secret" }).catch((e: unknown) => e);
    expect(error).toMatchObject({ kind: "no-permission" });
    expect(`${String(error)} ${JSON.stringify(error)} ${String((error as Error).cause)}`).not.toContain("secret");
  });
});
