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

await session.attempt(async () => {
  if (!(await guarded())) return;
  const { workerTransport } = await import("./client/worker-transport.js");
  await session.connect(workerTransport());
});
