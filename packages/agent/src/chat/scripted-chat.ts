import { ConfigError } from "@weft/tensor-core";
import { type CallFormat, HERMES } from "@weft/tokenizers/chat";
import { type ChatModel, type ChatRequest, wantsCall } from "./chat-model.js";

/**
 * A model that answers from a script, for tests of what is around a model. A text of four characters counts as one token.
 * @param script the answers one after the other, or what makes an answer of a request
 */
export function scriptedChat(script: readonly string[] | ((request: ChatRequest) => string), callFormat: CallFormat = HERMES): ChatModel {
  let place = 0;
  return {
    async chat(request) {
      const text = typeof script === "function" ? script(request) : script[place++];
      if (text === undefined)
        throw new ConfigError(`the script has ${place - 1} answers, and one more is asked for`, { kind: "agent-option" });
      const parsed = wantsCall(request) ? callFormat.parse(text) : { calls: [], faults: [] };
      const { length } = JSON.stringify(request.messages);
      return {
        text,
        calls: parsed.calls,
        faults: parsed.faults,
        promptTokens: Math.ceil(length / 4),
        completionTokens: Math.ceil(text.length / 4),
      };
    },
  };
}
