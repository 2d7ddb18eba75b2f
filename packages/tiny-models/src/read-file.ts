import { IoError } from "@weft/tensor-core";

/** A file of this package: from its folder in Node, fetched in a page. @throws IoError kind `not-found` if it is not where the package has it */
export async function readFile(url: URL, fetcher: typeof fetch): Promise<Uint8Array> {
  if (url.protocol === "file:") {
    // Bundlers for pages must not see an import of a module of Node.
    const { process } = globalThis as unknown as { process: { getBuiltinModule(name: string): typeof import("node:fs/promises") } };
    return process
      .getBuiltinModule("node:fs/promises")
      .readFile(url)
      .catch((cause: unknown) => missing(url, cause));
  }
  const response = await fetcher(url).catch((cause: unknown) => missing(url, cause));
  if (!response.ok) return missing(url, `status ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

function missing(url: URL, cause: unknown): never {
  throw new IoError(`${url.href}: a file of @weft/tiny-models cannot be read (${cause instanceof Error ? cause.message : String(cause)})`, {
    kind: "not-found",
    file: url.href,
    cause,
    hint: "a bundler has to copy the files that `new URL(…, import.meta.url)` names; esbuild does not: serve the package's folders beside its code",
  });
}
