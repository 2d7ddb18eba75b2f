import { type AdapterMethod, type Attached, ConfigError, type MethodTable } from "@weft/tensor-core";

const NAME = "TRAINABLE_TOKENS";

/** The method of embedding rows that may be trained beside any other method's parameters. @throws ConfigError if the table lacks it */
export function tokensMethod(methods: MethodTable): AdapterMethod<never> {
  const method = methods.get(NAME)?.method;
  if (method) return method;
  throw new ConfigError(`the config trains rows of embeddings (trainable_token_indices), which ${NAME} does`, {
    kind: "unsupported-method",
    hint: `put ${NAME} of @weft/adapters-lora into the table of methods`,
  });
}

export const isTokens = ({ method }: Attached): boolean => method.name === NAME;
