import { EngineError } from "./engine-client.js";
import type { Message, Reply } from "../protocol/commands.js";
import type { Transport } from "./transport.js";

/** Between two tries to reach a server that does not answer, in seconds. */
const RETRY = 4;
/** A stream without a line for so long is a dead one, in ms; the server sends one every 5 s. */
const SILENCE = 15_000;

const GONE = "The studio in the terminal does not answer.";
const OLD_LINK = "Open the link that the terminal shows.";

/** Lines of a stream as they come. @throws if it breaks, or nothing comes for too long */
async function* lines(body: ReadableStream<Uint8Array>, abort: AbortController): AsyncGenerator<string> {
  const reader = body.pipeThrough(new TextDecoderStream() as unknown as TransformStream<Uint8Array, string>).getReader();
  let rest = "";
  for (;;) {
    const timer = setTimeout(() => abort.abort(), SILENCE);
    const { done, value } = await reader.read().finally(() => clearTimeout(timer));
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop()!;
    yield* parts.filter((line) => line !== "");
  }
}

/**
 * The engine of `weft studio`: commands are posted, events come as lines of one long answer. A server that is gone is tried again; one that was started anew has
 * another token.
 */
export function serverTransport(token: string): Transport {
  const authorization = `Bearer ${token}`;
  let deliver: (data: Message) => void;
  const post = async (command: unknown): Promise<Reply> => {
    const { id } = command as { readonly id: string };
    const gone = (message: string): Reply => ({ v: 1, id, error: { kind: "server", message } });
    try {
      const headers = { authorization, "content-type": "application/json" };
      const response = await fetch("./api/command", { method: "POST", headers, body: JSON.stringify(command) });
      if (response.ok) return (await response.json()) as Reply;
      return gone(response.status === 401 ? OLD_LINK : ((await response.json()) as { error: { message: string } }).error.message);
    } catch {
      return gone(GONE);
    }
  };
  return {
    send: (command) => void post(command).then((reply) => deliver({ reply })),
    async put(id, file) {
      const response = await fetch(`./api/files/${id}`, { method: "PUT", headers: { authorization }, body: file }).catch(() => undefined);
      if (response?.ok) return;
      const told = (await response?.json().catch(() => undefined)) as { error: { message: string } } | undefined;
      throw new EngineError({ kind: "server", message: told?.error.message ?? GONE });
    },
    listen(message, failed, gone) {
      deliver = message;
      void follow(authorization, (event) => message({ event }), failed, gone);
    },
  };
}

/** Hears events until the server has another token, from the last one that came. */
async function follow(
  authorization: string,
  take: (event: Extract<Message, { event: unknown }>["event"]) => void,
  failed: (reason: string) => void,
  gone: (seconds: number | undefined) => void,
): Promise<void> {
  let seq = 0;
  for (;;) {
    const abort = new AbortController();
    try {
      const { status, body } = await fetch(`./api/events?since=${seq}`, { headers: { authorization }, signal: abort.signal });
      if (status === 401) return failed(OLD_LINK);
      if (status === 200) {
        gone(undefined);
        for await (const line of lines(body!, abort)) {
          const event = JSON.parse(line) as Parameters<typeof take>[0];
          seq = event.seq;
          take(event);
        }
      }
    } catch {
      // What is gone is tried again.
    }
    for (let left = RETRY; left > 0; left--) {
      gone(left);
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}
