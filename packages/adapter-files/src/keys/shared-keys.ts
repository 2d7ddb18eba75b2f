import type { SharedParameters } from "@weft/tensor-core";

/** Names on disk behind `base_model.` of a parameter that layers share; the first is written, all are read. */
export const sharedKeys = ({ keys }: SharedParameters<never>, name: string): readonly string[] => keys?.[name] ?? [name];
