/** A file of the built app. */
export interface AppFile {
  readonly body: Buffer;
  /** Its media type. */
  readonly type: string;
}
/** Files of the built app by their paths in URLs. */
export declare function appFiles(folder: string): Map<string, AppFile>;
/** Serves the built app on loopback. @param options `headers`: false as on a static host that sets none */
export declare function serveApp(options?: {
  readonly port?: number;
  readonly headers?: boolean;
}): Promise<{ readonly url: string; close(): Promise<void> }>;
