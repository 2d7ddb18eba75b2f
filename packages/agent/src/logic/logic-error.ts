import { ConfigError } from "@weft/tensor-core";

/** A formula that means nothing. */
export const logicError = (message: string, hint?: string): ConfigError => new ConfigError(message, { kind: "logic", hint });
/** A formula, or a search, larger than there is room for. */
export const logicLimit = (message: string): ConfigError => new ConfigError(message, { kind: "limit" });
