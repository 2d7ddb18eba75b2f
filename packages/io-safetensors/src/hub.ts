import { ConfigError, FormatError, IoError } from "@weft/tensor-core";
import { bytesOfUrl, type HttpOptions } from "./bytes-of-url.js";
import { openIndex } from "./open-index.js";
import { openFile } from "./safetensors-file.js";
import { WEIGHT_FILES } from "./weight-files.js";
import type { ByteSource, WeightSource } from "./weight-source.js";

/** A repository of the Hugging Face hub at a branch, tag or commit. */
export interface HubId {
  /** `user/name`, or only `name` for the oldest repositories. */
  readonly repo: string;
  /** `main` if the id names none. */
  readonly revision: string;
}

/** A file of a data set of the hub. */
export interface HubDatasetFile extends HubId {
  /** In the repository, with slashes. */
  readonly path: string;
}

/** Where the hub is, and with whose rights it is read. */
export interface HubOptions extends HttpOptions {
  /** Where the hub is: `https://huggingface.co` if not given. */
  readonly endpoint?: string;
  /** For private and gated repositories. It goes to the endpoint only: a redirect is followed without it. */
  readonly token?: string;
}

/** Of a user, a repository, or a part of a revision; the hub's rules, which also keep a path inside its folder. */
const SEGMENT = /^(?![.-])(?!.*(--|\.\.))[A-Za-z0-9._-]{1,96}(?<![.-])$/;
/** A commit of git, whole. */
export const COMMIT: RegExp = /^[0-9a-f]{40}$/;

/** Takes `hf:user/repo[@revision]` apart. @throws ConfigError kind `hub-id` */
export function parseHubId(id: string): HubId {
  const match = /^hf:([^@]+)(?:@(.+))?$/.exec(id);
  const repo = match?.[1] ?? "";
  const revision = match?.[2] ?? "main";
  const names = repo.split("/");
  if (!match || names.length > 2 || ![...names, ...revision.split("/")].every((part) => SEGMENT.test(part)))
    throw new ConfigError(`${JSON.stringify(id.slice(0, 300))} is not the id of a repository`, {
      kind: "hub-id",
      hint: "write hf:user/repo or hf:user/repo@revision",
    });
  return { repo, revision };
}

/** What a file or a folder may be called in a repository: nothing that leaves it. */
const NAME = /^(?!\.{1,2}$)[^\\/\p{Cc}]{1,255}$/u;

/**
 * Takes `hf:datasets/user/repo[@revision]/path` apart, as `hf://` of huggingface_hub: a revision has no slash, but for those of `refs/convert` and `refs/pr`.
 * @throws ConfigError kind `hub-id`
 */
export function parseHubDatasetFile(id: string): HubDatasetFile {
  const match = /^hf:datasets\/([^@/]+\/[^@/]+)(?:@(refs\/(?:convert|pr)\/[^/]+|[^/]+))?\/(.+)$/.exec(id);
  const [repo = "", revision = "main", path = ""] = match?.slice(1) ?? [];
  const names = [...repo.split("/"), ...revision.split("/")];
  if (!names.every((part) => SEGMENT.test(part)) || !path.split("/").every((part) => NAME.test(part)))
    throw new ConfigError(`${JSON.stringify(id.slice(0, 300))} is not a file of a data set`, {
      kind: "hub-id",
      hint: "write hf:datasets/user/repo/data/train.parquet or hf:datasets/user/repo@revision/train.jsonl",
    });
  return { repo, revision, path };
}

/**
 * Opens the weights of a repository of the hub over range requests; nothing is stored. All files are of one commit: that of the first answer.
 * @param id `hf:user/repo[@revision]`
 * @throws ConfigError kind `hub-id`; FormatError as `openSafetensors`, and kind `not-found` without safetensors files; IoError kinds `http`,
 * `no-permission` for private and gated repositories
 */
export async function openHub(id: string, options: HubOptions = {}): Promise<WeightSource> {
  const { repo, revision } = parseHubId(id);
  const { endpoint = "https://huggingface.co", token, fetch: get = fetch, ...rest } = options;
  let commit: string | undefined;
  let last: Response | undefined;
  const fetchFromHub: typeof fetch = async (url, init) => {
    last = await fetchWithToken(get, new URL(String(url)), init, token);
    const told = last.headers.get("x-repo-commit") ?? "";
    if (COMMIT.test(told)) commit ??= told;
    return last;
  };
  const open = (file: string): Promise<ByteSource> => {
    const url = `${endpoint.replace(/\/+$/, "")}/${repo}/resolve/${encodeURIComponent(commit ?? revision)}/${file}`;
    return bytesOfUrl(url, { ...rest, fetch: fetchFromHub });
  };
  try {
    for (const file of WEIGHT_FILES) {
      const source = await openIfThere(open, file);
      if (source) return file.endsWith(".index.json") ? await openIndex(source, source.location, open) : await openFile(source);
    }
  } catch (error) {
    if (error instanceof IoError && (last?.status === 401 || last?.status === 403)) throw noAccess(id, last.status, error);
    throw error;
  }
  const reason = last?.headers.get("x-error-code") ?? "EntryNotFound";
  throw new FormatError(
    reason === "EntryNotFound"
      ? `${id}: the repository has no safetensors file`
      : `${id}: there is no such repository or revision (${reason})`,
    { kind: "not-found", file: id },
  );
}

/** The hub refuses to show a repository. */
export const noAccess = (id: string, status: number, cause: unknown): IoError =>
  new IoError(`${id}: the hub gives no access (${status})`, {
    kind: "no-permission",
    file: id,
    cause,
    hint: "the repository is private, gated or not there: check the name, accept its terms, set HF_TOKEN",
  });

async function openIfThere(open: (file: string) => Promise<ByteSource>, file: string): Promise<ByteSource | undefined> {
  try {
    return await open(file);
  } catch (error) {
    if (error instanceof IoError && error.kind === "not-found") return undefined;
    throw error;
  }
}

/** One request to the hub. A redirect is followed with the range, and nothing else, of a request that bears a token. */
async function fetchWithToken(get: typeof fetch, url: URL, init: RequestInit | undefined, token: string | undefined): Promise<Response> {
  if (token === undefined) return get(url, init);
  const headers = new Headers(init?.headers);
  const range = headers.get("range") ?? "";
  headers.set("Authorization", `Bearer ${token}`);
  const answer = await get(url, { ...init, headers, redirect: "manual" });
  // A browser does not tell where a redirect leads. It follows by itself, and takes the token off when the origin changes (Fetch standard, HTTP-redirect fetch).
  if (answer.type === "opaqueredirect") return get(url, { ...init, headers });
  const target = answer.status >= 300 && answer.status < 400 ? answer.headers.get("location") : null;
  if (target === null) return answer;
  await answer.body?.cancel();
  return get(new URL(target, url), { ...init, headers: { Range: range } });
}
