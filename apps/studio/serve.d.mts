/** Serves the built app on loopback. @param options `headers`: false as on a static host that sets none */
export declare function serveApp(options?: {
  readonly port?: number;
  readonly headers?: boolean;
}): Promise<{ readonly url: string; close(): Promise<void> }>;
