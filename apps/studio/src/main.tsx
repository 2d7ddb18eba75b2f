import { render } from "preact";
import { App } from "./app.js";
import { EngineError } from "./client/engine-client.js";
import { isServed, takeToken } from "./client/server-token.js";
import type { Transport } from "./client/transport.js";
import { guarded } from "./service-worker.js";
import { SessionContext } from "./state/context.js";
import { Session } from "./state/session.js";
import "./style/index.css";

const session = new Session();
render(
  <SessionContext.Provider value={session}>
    <App />
  </SessionContext.Provider>,
  document.getElementById("app")!,
);

// What was not saved when a tab goes is made again, which takes time.
document.addEventListener("visibilitychange", () => {
  const { run, isBusy } = session;
  if (document.visibilityState === "hidden" && isBusy.value && run.value) void session.attempt(() => session.save(run.value!.id));
});

/** The way to the engine: of `weft studio`, or of a worker in this page. Undefined if the page is about to be loaded again. */
async function engine(): Promise<(() => Transport) | undefined> {
  if (isServed()) {
    const token = takeToken();
    if (token === undefined) throw new EngineError({ kind: "no-access", message: "Open the link that the terminal shows." });
    const { serverTransport } = await import("./client/server-transport.js");
    return () => serverTransport(token);
  }
  if (!(await guarded())) return undefined;
  return (await import("./client/worker-transport.js")).workerTransport;
}

await session.attempt(async () => {
  const start = await engine();
  if (!start) return;
  const { shareEngine } = await import("./client/share-engine.js");
  await shareEngine(start, (transport, leads) => void session.attempt(() => session.connect(transport, leads)));
});
