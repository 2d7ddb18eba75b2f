import { type MethodTable, WeftError } from "@weft/tensor-core";
import { type AdapterHints, openAdapterAt } from "./open-input.js";
import type { ScaledAdapter, ScaledPath } from "../source/scaled-adapter.js";

/** An adapter of several that a job names. */
export interface NamedAdapter extends ScaledAdapter {
  /** The user's alpha, where the adapter does not say its own. */
  readonly alpha: number | undefined;
}

/**
 * Opens the adapters of a job. The user's alpha is for those of them that do not say their own.
 * @throws ConfigError kind `alpha-known` if there is an alpha, and none of them lacks it; errors of `openAdapterAt`
 */
export async function openAdapters(paths: readonly ScaledPath[], methods: MethodTable, hints: AdapterHints): Promise<NamedAdapter[]> {
  const opened: NamedAdapter[] = [];
  const known: WeftError[] = [];
  try {
    for (const scaled of paths) {
      const open = async (alpha: number | undefined): Promise<NamedAdapter> => ({
        ...scaled,
        alpha,
        adapter: await openAdapterAt(scaled.path, methods, { ...hints, alpha }),
      });
      const adapter = await open(hints.alpha).catch((error: unknown) => {
        if (!(error instanceof WeftError && error.kind === "alpha-known")) throw error;
        known.push(error);
        return open(undefined);
      });
      opened.push(adapter);
    }
    if (known.length > 0 && known.length === paths.length) throw known[0]!;
    return opened;
  } catch (error) {
    await Promise.all(opened.map(({ adapter }) => adapter.weights.close()));
    throw error;
  }
}
