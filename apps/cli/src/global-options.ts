/** Options that every command takes. */
export interface GlobalOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly dryRun: boolean;
  readonly force: boolean;
  /** Modules with methods of the user's own. */
  readonly methods: readonly string[];
  /** Threads; undefined: the command chooses. */
  readonly jobs: number | undefined;
}
