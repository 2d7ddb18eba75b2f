import type { OpenedAdapter } from "@weft/adapter-files";

/** Where an adapter lies, and the factor on its effect. */
export interface ScaledPath {
  readonly path: string;
  readonly scale: number;
}

/** An adapter with the user's factor. */
export interface ScaledAdapter extends ScaledPath {
  readonly adapter: OpenedAdapter;
}
