import { ConfigError } from "@weft/tensor-core";

/** What an expression means nothing for, or what has no value. */
export const calculationError = (message: string, hint?: string): ConfigError => new ConfigError(message, { kind: "calculation", hint });

/** What would take more room or time than there is. */
export const calculationLimit = (message: string): ConfigError => new ConfigError(message, { kind: "limit" });
