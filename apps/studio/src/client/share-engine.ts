import type { Transport } from "./transport.js";

/** Who holds it runs the engine; others wait for it. */
const LOCK = "weft:engine";

/** What tabs send each other: commands and files to the one that runs the engine, all that its engine says, and that there is a new engine. */
type Shared =
  | { readonly command: unknown }
  | { readonly put: string; readonly file: Blob }
  | { readonly message: unknown }
  | { readonly engine: "new" };

/** Runs the engine here, for this tab and all others. */
function lead(start: () => Transport, take: (transport: Transport, leads: boolean) => void): Promise<never> {
  const engine = start();
  const channel = new BroadcastChannel(LOCK);
  // A command may name a file that was put before it, and is still on its way to a server.
  let put: Promise<unknown> = Promise.resolve();
  channel.addEventListener("message", ({ data }: MessageEvent<Shared>) => {
    if ("command" in data) void put.then(() => engine.send(data.command));
    // That one did not arrive is what the command that names it says.
    if ("put" in data) put = Promise.all([put, engine.put(data.put, data.file)]).catch(() => undefined);
  });
  take(
    {
      send: (command) => engine.send(command),
      put: (id, file) => engine.put(id, file),
      listen: (message, failed, gone) =>
        engine.listen(
          (data) => {
            channel.postMessage({ message: data } satisfies Shared);
            message(data);
          },
          failed,
          gone,
        ),
    },
    true,
  );
  channel.postMessage({ engine: "new" } satisfies Shared);
  // As long as the tab lives.
  return new Promise(() => undefined);
}

/** Follows the engine of another tab, and greets the next one if that tab goes and a third takes over. @returns what ends it */
function follow(take: (transport: Transport, leads: boolean) => void): () => void {
  const channel = new BroadcastChannel(LOCK);
  let deliver: (data: unknown) => void;
  const greet = (): void =>
    take(
      {
        send: (command) => channel.postMessage({ command } satisfies Shared),
        put: (id, file) => channel.postMessage({ put: id, file } satisfies Shared),
        listen: (message) => (deliver = message),
      },
      false,
    );
  channel.addEventListener("message", ({ data }: MessageEvent<Shared>) => {
    if ("message" in data) deliver(data.message);
    if ("engine" in data) greet();
  });
  greet();
  return () => channel.close();
}

/**
 * One engine for all tabs: that which has the lock runs it, the others watch and steer it, and take over when it goes.
 * @param take gets a way to the engine, and another one if this tab takes over
 */
export async function shareEngine(start: () => Transport, take: (transport: Transport, leads: boolean) => void): Promise<void> {
  await new Promise<void>((settled) => {
    void navigator.locks.request(LOCK, { ifAvailable: true }, (lock) => {
      settled();
      if (lock) return lead(start, take);
      const leave = follow(take);
      void navigator.locks.request(LOCK, () => {
        leave();
        return lead(start, take);
      });
      return undefined;
    });
  });
}
