import { render } from "preact";
import { App } from "./app.js";
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

await session.attempt(async () => {
  if (!(await guarded())) return;
  const [{ workerTransport }, { shareEngine }] = await Promise.all([
    import("./client/worker-transport.js"),
    import("./client/share-engine.js"),
  ]);
  await shareEngine(workerTransport, (transport, leads) => void session.attempt(() => session.connect(transport, leads)));
});
