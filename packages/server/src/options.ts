/** What a server allows, and how long it waits. */
export interface ServerOptions {
  /** The model's id without any adapter; adapters have their names. `"model"` if not given. */
  readonly modelName?: string | undefined;
  /** What clients send as `Authorization: Bearer …`. Without one everybody who reaches the server may use it, and it listens on loopback only. */
  readonly token?: string | undefined;
  /** Names that clients may call the server by, as `name` or `name:port`, besides its own address. */
  readonly allowedHosts?: readonly string[] | undefined;
  /** Folders below which adapters may be loaded while the server runs; none if not given. */
  readonly adapterFolders?: readonly string[] | undefined;
  /** So many adapters there may be at once; 64 if not given. */
  readonly maxAdapters?: number | undefined;
  /** The largest body of a request, in bytes; 1 MiB if not given. */
  readonly maxBodyBytes?: number | undefined;
  /** So many answers one request may ask for: its prompts times `n`; 16 if not given. */
  readonly maxChoices?: number | undefined;
  /** How long a request's headers and its body may take each, in ms; 10,000 if not given. */
  readonly bodyTimeout?: number | undefined;
  /** How long a client may leave what is sent to it unread, in ms, before it is cut; 30,000 if not given. */
  readonly stallTimeout?: number | undefined;
  /** Hears of failures that are not the client's, which is told no more than that there was one. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** Options with what is taken for those that were not given. */
export type Settings = { readonly [K in Exclude<keyof ServerOptions, "token" | "onError">]-?: Exclude<ServerOptions[K], undefined> } & Pick<
  ServerOptions,
  "token" | "onError"
>;

export const settingsOf = (options: ServerOptions): Settings => ({
  modelName: options.modelName ?? "model",
  token: options.token,
  allowedHosts: options.allowedHosts ?? [],
  adapterFolders: options.adapterFolders ?? [],
  maxAdapters: options.maxAdapters ?? 64,
  maxBodyBytes: options.maxBodyBytes ?? 2 ** 20,
  maxChoices: options.maxChoices ?? 16,
  bodyTimeout: options.bodyTimeout ?? 10_000,
  stallTimeout: options.stallTimeout ?? 30_000,
  onError: options.onError,
});
